//! Cells of X^T X: the two factors are the same numbers, so that one is the other transposed tile by tile.

use rayon::prelude::*;

use crate::kernel::{CELL, Kernel};
use crate::lanes::widest;
use crate::pack::{BLOCK, DEPTH, LEFT_STEP, PIECES, Tile, step_of_pairs};
use bytemuck::Zeroable;

/// Blocks that one thread takes together, so that it reads more than two lines of a row at a time.
const TOGETHER: usize = 4;

/// Rows of X as blocks of 32 channels, ready to be multiplied with each other.
#[derive(Debug)]
pub struct Channels {
    columns: usize,
    steps: usize,
    room: usize,
    left: Vec<Tile>,
    right: Vec<Tile>,
}

impl Channels {
    /// Channels of a block: rows and columns of a cell.
    pub const BLOCK: usize = BLOCK;

    /// Bytes that so many rows of so many channels take.
    pub const fn bytes(rows: usize, columns: usize) -> usize {
        2 * Channels::tiles(rows, columns) * size_of::<Tile>()
    }

    const fn tiles(rows: usize, columns: usize) -> usize {
        columns.div_ceil(BLOCK) * rows.div_ceil(DEPTH) * LEFT_STEP
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

    /// Takes rows, in the threads of the pool that calls.
    ///
    /// # Panics
    /// If there are more than there is room for, or not whole ones.
    pub fn fill(&mut self, rows: &[f32]) {
        let columns = self.columns;
        assert!(rows.len().is_multiple_of(columns), "{} numbers, {columns} a row", rows.len());
        let count = rows.len() / columns;
        self.steps = count.div_ceil(DEPTH);
        assert!(self.steps <= self.room, "{count} rows where {} have room", self.room * DEPTH);
        let (block, steps) = (self.room * LEFT_STEP, self.steps);
        let (left, right) = (self.left.par_chunks_mut(TOGETHER * block), self.right.par_chunks_mut(TOGETHER * block));
        left.zip(right).enumerate().for_each(|(number, (left, right))| {
            widest(
                #[inline(always)]
                || {
                    for step in 0..steps {
                        let blocks = left.chunks_exact_mut(block).zip(right.chunks_exact_mut(block));
                        for (place, (left, right)) in blocks.enumerate() {
                            let first = (number * TOGETHER + place) * BLOCK;
                            let channels = first..columns.min(first + BLOCK);
                            let row = |row| {
                                if row < count { &rows[row * columns..][channels.clone()] } else { &[] }
                            };
                            let tiles = step * LEFT_STEP..(step + 1) * LEFT_STEP;
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
        });
    }

    /// The sums over all rows of the products of two blocks of channels, those beyond the last channel 0.
    ///
    /// # Panics
    /// If there is no such block, or there are no rows.
    pub fn cell(&self, kernel: &Kernel, row: usize, column: usize, sums: &mut [f32; CELL]) {
        let part = |block: usize| block * self.room * LEFT_STEP..(block * self.room + self.steps) * LEFT_STEP;
        kernel.cell(&self.left[part(row)], &self.right[part(column)], PIECES, sums);
    }
}
