//! Matrices cut into pieces of bf16 and those into tiles, in the order in which the kernel reads them.
//!
//! A tile is 1 KiB: 16 rows of 32 numbers. Two tiles, side by side in what is summed over or not, make the 32 rows (or
//! columns) of a cell; a step of the kernel reads them for each piece:
//!
//! ```text
//! block of 32 rows > step of 32 summands > piece > half of the block: a tile
//! ```
//!
//! What is beyond the last row and the last summand is zero.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use std::ops::Range;

use crate::lanes::widest;
use crate::split::{pieces, split};

/// Rows of a tile.
pub(crate) const ROWS: usize = 16;

/// Summands of a tile, and of a step.
pub(crate) const DEPTH: usize = 32;

/// Rows of a block: two tiles.
pub(crate) const BLOCK: usize = 2 * ROWS;

/// Pieces of an f32.
pub(crate) const PIECES: usize = 3;

/// A tile as it lies in memory: lines of the cache, so that none is read twice.
///
/// On the left a line is a row: 32 summands. On the right it is two summands of 16 columns, beside each other for each
/// column. In 32-bit words, one is the other transposed.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Tile([[u16; DEPTH]; ROWS]);

/// Tiles of a step of a left matrix.
pub(crate) const LEFT_STEP: usize = 2 * PIECES;

/// The left factor: rows of numbers in three pieces. Its memory serves matrix after matrix.
#[derive(Debug, Default)]
pub struct Left {
    rows: usize,
    steps: usize,
    tiles: Vec<Tile>,
}

/// The right factor: columns of numbers in as many pieces as they need. Its memory serves matrix after matrix.
#[derive(Debug, Default)]
pub struct Right {
    columns: usize,
    steps: usize,
    pieces: usize,
    tiles: Vec<Tile>,
}

impl Left {
    /// Rows of a block.
    pub const BLOCK: usize = BLOCK;

    /// Bytes of a left factor, which is the larger of the two.
    pub fn bytes(rows: usize, summands: usize) -> usize {
        rows.div_ceil(BLOCK) * summands.div_ceil(DEPTH) * LEFT_STEP * size_of::<Tile>()
    }

    /// Takes rows of `summands` numbers each, in the threads of the pool that calls.
    ///
    /// # Panics
    /// If there are no summands, or not whole rows.
    pub fn fill(&mut self, values: &[f32], summands: usize) {
        assert!(summands > 0 && values.len().is_multiple_of(summands), "{} numbers, {summands} a row", values.len());
        (self.rows, self.steps) = (values.len() / summands, summands.div_ceil(DEPTH));
        let block = self.steps * LEFT_STEP;
        let blocks = room(&mut self.tiles, self.rows.div_ceil(BLOCK) * block).par_chunks_exact_mut(block);
        blocks.zip(values.par_chunks(BLOCK * summands)).for_each(|(tiles, rows)| {
            widest(
                #[inline(always)]
                || rows_of_pieces::<PIECES>(rows, summands, tiles),
            );
        });
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
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
        let first = block * self.steps;
        &self.tiles[(first + steps.start) * LEFT_STEP..(first + steps.end) * LEFT_STEP]
    }
}

impl Right {
    /// Takes the transpose of rows of `summands` numbers each, in the threads of the pool that calls: each row is a column
    /// of the factor.
    ///
    /// # Panics
    /// If there are no summands, or not whole rows.
    pub fn fill_transposed(&mut self, values: &[f32], summands: usize) {
        assert!(summands > 0 && values.len().is_multiple_of(summands), "{} numbers, {summands} a row", values.len());
        let mut count = 1;
        widest(
            #[inline(always)]
            || count = pieces(values),
        );
        let step = 2 * count;
        let block = summands.div_ceil(DEPTH) * step;
        let blocks = self.shape(values.len() / summands, summands, count).par_chunks_exact_mut(block);
        blocks.zip(values.par_chunks(BLOCK * summands)).for_each(|(tiles, rows)| {
            widest(
                #[inline(always)]
                || {
                    match count {
                        1 => rows_of_pieces::<1>(rows, summands, tiles),
                        2 => rows_of_pieces::<2>(rows, summands, tiles),
                        _ => rows_of_pieces::<3>(rows, summands, tiles),
                    }
                    for tile in &mut *tiles {
                        *tile = tile.transposed();
                    }
                },
            );
        });
    }

    /// Takes some columns of a row-major matrix, `width` numbers in a row for each summand, in the threads of the pool that
    /// calls.
    ///
    /// # Panics
    /// If there are no summands, not whole rows, no columns, or columns beyond the last.
    pub fn fill(&mut self, values: &[f32], width: usize, columns: Range<usize>) {
        assert!(width > 0 && values.len().is_multiple_of(width), "{} numbers, {width} a row", values.len());
        let summands = values.len() / width;
        assert!(summands > 0 && !columns.is_empty(), "{summands} summands of columns {columns:?}");
        let row = |row: usize| &values[row * width..][columns.clone()];
        let mut count = 1;
        widest(
            #[inline(always)]
            || {
                for summand in 0..summands {
                    count = count.max(pieces(row(summand)));
                }
            },
        );
        let steps = summands.div_ceil(DEPTH);
        let blocks = self.shape(columns.len(), summands, count).par_chunks_exact_mut(steps * 2 * count);
        blocks.enumerate().for_each(|(block, tiles)| {
            let within = block * BLOCK..columns.len().min((block + 1) * BLOCK);
            let row = |summand| if summand < summands { &row(summand)[within.clone()] } else { &[] };
            widest(
                #[inline(always)]
                || {
                    for (step, tiles) in tiles.chunks_exact_mut(2 * count).enumerate() {
                        match count {
                            1 => step_of_pairs::<1>(row, step, tiles),
                            2 => step_of_pairs::<2>(row, step, tiles),
                            _ => step_of_pairs::<3>(row, step, tiles),
                        }
                    }
                },
            );
        });
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
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

    fn shape(&mut self, columns: usize, summands: usize, pieces: usize) -> &mut [Tile] {
        (self.columns, self.steps, self.pieces) = (columns, summands.div_ceil(DEPTH), pieces);
        room(&mut self.tiles, columns.div_ceil(BLOCK) * self.steps * 2 * pieces)
    }
}

/// So many tiles of any content. Memory only grows: matrices of all sizes take turns in it, and clearing it for each
/// would cost as much as filling it.
fn room(tiles: &mut Vec<Tile>, count: usize) -> &mut [Tile] {
    if tiles.len() < count {
        // What is there need not be copied to another place.
        tiles.clear();
        tiles.reserve_exact(count);
        tiles.resize(count, Tile::zeroed());
    }
    &mut tiles[..count]
}

/// 32 numbers where they lie, or fewer of them and zeros. Copied, even a whole line would be a call.
#[inline(always)]
fn line<'a>(values: &'a [f32], padded: &'a mut [f32; DEPTH]) -> &'a [f32; DEPTH] {
    if let Ok(whole) = values.try_into() {
        return whole;
    }
    padded[..values.len()].copy_from_slice(values);
    padded
}

/// At most 32 rows, each number in so many pieces, a line of a tile for 32 numbers of a row.
#[inline(always)]
fn rows_of_pieces<const PIECES: usize>(rows: &[f32], summands: usize, tiles: &mut [Tile]) {
    for (step, tiles) in tiles.chunks_exact_mut(2 * PIECES).enumerate() {
        let width = DEPTH.min(summands - step * DEPTH);
        for number in 0..BLOCK {
            let from = number * summands + step * DEPTH;
            let values = rows.get(from..from + width).unwrap_or_default();
            let mut padded = [0.0; DEPTH];
            let values = line(values, &mut padded);
            let mut lines = [[0; DEPTH]; 3];
            for (at, x) in values.iter().enumerate() {
                let [first, second, third] = split(*x);
                (lines[0][at], lines[1][at], lines[2][at]) = (first, second, third);
            }
            for (piece, line) in lines.iter().enumerate().take(PIECES) {
                tiles[2 * piece + number / ROWS].0[number % ROWS] = *line;
            }
        }
    }
}

/// A step of at most 32 columns: a line of a tile for two summands of 16 columns. `row` gives a summand's columns, none
/// beyond the last.
#[inline(always)]
pub(crate) fn step_of_pairs<'a, const PIECES: usize>(
    row: impl Fn(usize) -> &'a [f32],
    step: usize,
    tiles: &mut [Tile],
) {
    for pair in 0..ROWS {
        let mut padded = [[0.0; BLOCK]; 2];
        let [first, second] = &mut padded;
        let even = line(row(step * DEPTH + 2 * pair), first);
        let odd = line(row(step * DEPTH + 2 * pair + 1), second);
        let mut words = [[0u32; BLOCK]; 3];
        for (at, (even, odd)) in even.iter().zip(odd).enumerate() {
            let (even, odd) = (split(*even), split(*odd));
            for piece in 0..3 {
                words[piece][at] = u32::from(even[piece]) | u32::from(odd[piece]) << 16;
            }
        }
        for (piece, words) in words.iter().enumerate().take(PIECES) {
            let (left, right) = words.split_at(ROWS);
            for (half, words) in [left, right].into_iter().enumerate() {
                let line: &mut [u32; ROWS] = bytemuck::cast_mut(&mut tiles[2 * piece + half].0[pair]);
                line.copy_from_slice(words);
            }
        }
    }
}

impl Tile {
    /// Makes a tile of one side one of the other: transposes its 32-bit words, exchanging ever smaller squares.
    #[inline(always)]
    pub(crate) fn transposed(&self) -> Tile {
        let mut words: [[u32; ROWS]; ROWS] = bytemuck::cast(self.0);
        square::<8>(&mut words);
        square::<4>(&mut words);
        square::<2>(&mut words);
        square::<1>(&mut words);
        Tile(bytemuck::cast(words))
    }
}

/// Exchanges the squares of `SIDE` words beside the diagonal.
#[inline(always)]
fn square<const SIDE: usize>(words: &mut [[u32; ROWS]; ROWS]) {
    for row in 0..ROWS {
        if row & SIDE == 0 {
            let (upper, lower) = (words[row], words[row + SIDE]);
            words[row] = std::array::from_fn(|c| if c & SIDE == 0 { upper[c] } else { lower[c ^ SIDE] });
            words[row + SIDE] = std::array::from_fn(|c| if c & SIDE == 0 { upper[c ^ SIDE] } else { lower[c] });
        }
    }
}
