//! The two factors of a product.

use faer::MatRef;
use std::ops::Range;

use crate::Precision;
use crate::cut::{Part, Source, parts, room};
use crate::tile::{BLOCK, DEPTH, Tile};

/// The left factor: every number in as many pieces as the precision asks for. Its memory serves matrix after matrix.
#[derive(Debug, Default)]
pub struct Left {
    rows: usize,
    steps: usize,
    precision: Precision,
    tiles: Vec<Tile>,
}

/// The right factor: every number in as many pieces as the numbers need and the precision asks for. Its memory serves
/// matrix after matrix.
#[derive(Debug, Default)]
pub struct Right {
    columns: usize,
    steps: usize,
    pieces: usize,
    precision: Precision,
    tiles: Vec<Tile>,
}

impl Left {
    /// Rows of a block.
    pub const BLOCK: usize = BLOCK;

    /// Summands of a step.
    pub const STEP: usize = DEPTH;

    /// Bytes of a left factor; a right one takes no more.
    pub fn bytes(rows: usize, summands: usize, precision: Precision) -> usize {
        rows.div_ceil(BLOCK) * summands.div_ceil(DEPTH) * 2 * precision.pieces() * size_of::<Tile>()
    }

    /// Takes a matrix, a column for each summand, once all parts are filled.
    ///
    /// # Panics
    /// If there are no summands, or numbers lie side by side in neither direction.
    pub fn parts<'a>(&'a mut self, matrix: MatRef<'a, f32>, precision: Precision) -> Vec<Part<'a>> {
        let source = Source::of(matrix);
        (self.rows, self.steps, self.precision) = (matrix.nrows(), matrix.ncols().div_ceil(DEPTH), precision);
        let block = self.steps * 2 * precision.pieces();
        let tiles = room(&mut self.tiles, self.rows.div_ceil(BLOCK) * block);
        parts(source, false, precision.pieces(), block, tiles)
    }

    /// Takes a matrix in the calling thread; see [`Left::parts`].
    pub fn fill(&mut self, matrix: MatRef<'_, f32>, precision: Precision) {
        self.parts(matrix, precision).into_iter().for_each(Part::fill);
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Precision of products with it.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes that are held, whether they are in use or not.
    pub fn held_bytes(&self) -> usize {
        self.tiles.capacity() * size_of::<Tile>()
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The tiles of some steps of a block.
    pub(crate) fn part(&self, block: usize, steps: Range<usize>) -> &[Tile] {
        let (first, step) = (block * self.steps, 2 * self.precision.pieces());
        &self.tiles[(first + steps.start) * step..(first + steps.end) * step]
    }
}

impl Right {
    /// Takes a matrix, a row for each summand, once all parts are filled.
    ///
    /// # Panics
    /// If there are no summands, or numbers lie side by side in neither direction.
    pub fn parts<'a>(&'a mut self, matrix: MatRef<'a, f32>, precision: Precision) -> Vec<Part<'a>> {
        let matrix = matrix.transpose();
        let source = Source::of(matrix);
        (self.columns, self.steps, self.precision) = (matrix.nrows(), matrix.ncols().div_ceil(DEPTH), precision);
        self.pieces = source.pieces(precision.pieces());
        let block = self.steps * 2 * self.pieces;
        let tiles = room(&mut self.tiles, self.columns.div_ceil(BLOCK) * block);
        parts(source, true, self.pieces, block, tiles)
    }

    /// Takes a matrix in the calling thread; see [`Right::parts`].
    pub fn fill(&mut self, matrix: MatRef<'_, f32>, precision: Precision) {
        self.parts(matrix, precision).into_iter().for_each(Part::fill);
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Precision of products with it.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Pieces that the numbers need.
    pub fn pieces(&self) -> usize {
        self.pieces
    }

    /// Bytes that are held, whether they are in use or not.
    pub fn held_bytes(&self) -> usize {
        self.tiles.capacity() * size_of::<Tile>()
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The tiles of some steps of a block.
    pub(crate) fn part(&self, block: usize, steps: Range<usize>) -> &[Tile] {
        let (first, step) = (block * self.steps, 2 * self.pieces);
        &self.tiles[(first + steps.start) * step..(first + steps.end) * step]
    }
}
