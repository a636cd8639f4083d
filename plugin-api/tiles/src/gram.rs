//! Cells of X^T X: the two factors are the same numbers, so that one is the other transposed tile by tile.

use bytemuck::Zeroable;

use crate::Precision;
use crate::cut::step_of_pairs;
use crate::kernel::{Blocks, CELL, Kernel};
use crate::lanes::widest;
use crate::tile::{BLOCK, DEPTH, Tile};

/// Blocks that one thread takes together, so that it reads more than two lines of a row at a time.
const TOGETHER: usize = 4;

/// Pieces of a number. Two, because sums over a text show nothing of what a third adds, and half of the work is saved:
/// each value is wrong by at most 2^-15 of the sum of magnitudes, in the mean by much less.
const PIECES: usize = Precision::Bits16.pieces();

/// Tiles of a step on either side.
const STEP: usize = 2 * PIECES;

/// Steps of a run: 128 rows, 16 KiB on either side.
const RUN: usize = 4;

/// Rows of X as blocks of 32 channels, ready to be multiplied with each other.
#[derive(Debug)]
pub struct Channels {
    columns: usize,
    steps: usize,
    room: usize,
    left: Vec<Tile>,
    right: Vec<Tile>,
}

/// Some blocks of channels that are to be filled: no two parts share memory, so threads may take them in any order.
#[derive(Debug)]
#[must_use = "blocks that are not filled hold any numbers"]
pub struct ChannelsPart<'a> {
    rows: &'a [f32],
    columns: usize,
    /// First channel.
    first: usize,
    steps: usize,
    /// Tiles of a block, in use or not.
    block: usize,
    left: &'a mut [Tile],
    right: &'a mut [Tile],
}

impl Channels {
    /// Channels of a block: rows and columns of a cell.
    pub const BLOCK: usize = BLOCK;

    /// Bytes that so many rows of so many channels take.
    pub const fn bytes(rows: usize, columns: usize) -> usize {
        2 * Channels::tiles(rows, columns) * size_of::<Tile>()
    }

    const fn tiles(rows: usize, columns: usize) -> usize {
        columns.div_ceil(BLOCK) * rows.div_ceil(DEPTH) * STEP
    }

    /// Room for at most `rows` rows.
    pub fn new(rows: usize, columns: usize) -> Channels {
        let tiles = vec![Tile::zeroed(); Channels::tiles(rows, columns)];
        Channels { columns, steps: 0, room: rows.div_ceil(DEPTH), left: tiles.clone(), right: tiles }
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        (self.left.capacity() + self.right.capacity()) * size_of::<Tile>()
    }

    /// Takes rows, once all parts are filled.
    ///
    /// # Panics
    /// If there are more than there is room for, or not whole ones.
    pub fn parts<'a>(&'a mut self, rows: &'a [f32]) -> Vec<ChannelsPart<'a>> {
        let columns = self.columns;
        assert!(rows.len().is_multiple_of(columns), "{} numbers, {columns} a row", rows.len());
        let count = rows.len() / columns;
        self.steps = count.div_ceil(DEPTH);
        assert!(self.steps <= self.room, "{count} rows where {} have room", self.room * DEPTH);
        let (block, steps) = (self.room * STEP, self.steps);
        let tiles = self.left.chunks_mut(TOGETHER * block).zip(self.right.chunks_mut(TOGETHER * block));
        let part = |(number, (left, right))| {
            let first = number * TOGETHER * BLOCK;
            ChannelsPart { rows, columns, first, steps, block, left, right }
        };
        tiles.enumerate().map(part).collect()
    }

    /// The sums over all rows of the products of a few blocks of channels with one, those beyond the last channel 0: a cell for
    /// each block from `row` on.
    ///
    /// A run of rows at a time: its part of the one block stays in the first cache, and the cells do.
    ///
    /// # Panics
    /// If there is no such block, or there are no rows.
    pub fn cells(&self, kernel: &Kernel, row: usize, column: usize, cells: &mut [[f32; CELL]]) {
        for start in (0..self.steps).step_by(RUN) {
            let steps = start..self.steps.min(start + RUN);
            let part = |block: usize| {
                let first = block * self.room;
                (first + steps.start) * STEP..(first + steps.end) * STEP
            };
            let right = &self.right[part(column)];
            for (number, sums) in cells.iter_mut().enumerate() {
                let left = &self.left[part(row + number)];
                let blocks = Blocks { left, right, precision: Precision::Bits16, pieces: PIECES };
                match start {
                    0 => kernel.cell(blocks, sums),
                    _ => kernel.add_to_cell(blocks, sums),
                }
            }
        }
    }
}

impl ChannelsPart<'_> {
    /// Cuts the numbers.
    pub fn fill(self) {
        let ChannelsPart { rows, columns, first, steps, block, left, right } = self;
        let count = rows.len() / columns;
        widest(
            #[inline(always)]
            || {
                for step in 0..steps {
                    let blocks = left.chunks_exact_mut(block).zip(right.chunks_exact_mut(block));
                    for (place, (left, right)) in blocks.enumerate() {
                        let first = first + place * BLOCK;
                        let channels = first..columns.min(first + BLOCK);
                        let row = |row| {
                            if row < count { &rows[row * columns..][channels.clone()] } else { &[] }
                        };
                        let tiles = step * STEP..(step + 1) * STEP;
                        let (left, right) = (&mut left[tiles.clone()], &mut right[tiles]);
                        step_of_pairs::<PIECES>(row, step, right);
                        // A loop of our own: `for_each` is compiled by itself, for narrow vectors (a fifth of the fill).
                        for (left, right) in left.iter_mut().zip(right) {
                            *left = right.transposed();
                        }
                    }
                }
            },
        );
    }
}
