//! Cells of X^T X: the two factors are the same numbers, so that one is the other transposed tile by tile.

use bytemuck::Zeroable;
use std::ops::Range;

use crate::Precision;
use crate::cut::{room, step_of_pairs};
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

/// Rows of X as blocks of 32 channels, ready to be multiplied with each other: as right factors. As left ones only a
/// [`Band`] of them is held, so that both stay in the second cache.
#[derive(Debug)]
pub struct Channels {
    columns: usize,
    steps: usize,
    room: usize,
    tiles: Vec<Tile>,
}

/// Some neighbouring blocks of channels as left factors. Its memory serves band after band.
#[derive(Debug, Default)]
pub struct Band {
    steps: usize,
    tiles: Vec<Tile>,
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
    tiles: &'a mut [Tile],
}

impl Channels {
    /// Channels of a block: rows and columns of a cell.
    pub const BLOCK: usize = BLOCK;

    /// Bytes that so many rows of so many channels take.
    pub const fn bytes(rows: usize, columns: usize) -> usize {
        Channels::tiles(rows, columns) * size_of::<Tile>()
    }

    const fn tiles(rows: usize, columns: usize) -> usize {
        columns.div_ceil(BLOCK) * rows.div_ceil(DEPTH) * STEP
    }

    /// Room for at most `rows` rows.
    pub fn new(rows: usize, columns: usize) -> Channels {
        let tiles = vec![Tile::zeroed(); Channels::tiles(rows, columns)];
        Channels { columns, steps: 0, room: rows.div_ceil(DEPTH), tiles }
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        self.tiles.capacity() * size_of::<Tile>()
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
        let part = |(number, tiles)| {
            let first = number * TOGETHER * BLOCK;
            ChannelsPart { rows, columns, first, steps, block, tiles }
        };
        self.tiles.chunks_mut(TOGETHER * block).enumerate().map(part).collect()
    }

    /// The tiles of some steps of a block.
    fn part(&self, block: usize, steps: Range<usize>) -> &[Tile] {
        let first = block * self.room;
        &self.tiles[(first + steps.start) * STEP..(first + steps.end) * STEP]
    }

    /// Makes some neighbouring blocks left factors.
    ///
    /// # Panics
    /// If there are no such blocks.
    pub fn turn(&self, blocks: Range<usize>, band: &mut Band) {
        band.steps = self.steps;
        let tiles = room(&mut band.tiles, blocks.len() * self.steps * STEP);
        for (block, tiles) in blocks.zip(tiles.chunks_exact_mut(self.steps * STEP)) {
            for (left, right) in tiles.iter_mut().zip(self.part(block, 0..self.steps)) {
                *left = right.transposed();
            }
        }
    }

    /// The sums over all rows of the products of a few blocks of a band with one of all, those beyond the last channel 0: a
    /// cell for each block of the band from `first` on.
    ///
    /// A run of rows at a time: its part of the one block stays in the first cache, and the cells do.
    ///
    /// # Panics
    /// If there is no such block, if there are no rows, or the band is of others.
    pub fn cells(&self, kernel: &Kernel, band: &Band, first: usize, column: usize, cells: &mut [[f32; CELL]]) {
        assert_eq!(band.steps, self.steps, "steps of a band");
        for start in (0..self.steps).step_by(RUN) {
            let steps = start..self.steps.min(start + RUN);
            let right = self.part(column, steps.clone());
            for (number, sums) in cells.iter_mut().enumerate() {
                let block = (first + number) * self.steps;
                let left = &band.tiles[(block + steps.start) * STEP..(block + steps.end) * STEP];
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
        let ChannelsPart { rows, columns, first, steps, block, tiles } = self;
        let count = rows.len() / columns;
        widest(
            #[inline(always)]
            || {
                for step in 0..steps {
                    for (place, tiles) in tiles.chunks_exact_mut(block).enumerate() {
                        let first = first + place * BLOCK;
                        let channels = first..columns.min(first + BLOCK);
                        let row = |row| {
                            if row < count { &rows[row * columns..][channels.clone()] } else { &[] }
                        };
                        step_of_pairs::<PIECES>(row, step, &mut tiles[step * STEP..(step + 1) * STEP]);
                    }
                }
            },
        );
    }
}
