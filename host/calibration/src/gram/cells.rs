//! Products of channels over a block of rows in tiles: cell by cell in f32, then in f64.

use llmq_tiles::{Band, CELL, Channels, Kernel, prefetch};
use pulp::{Simd, WithSimd};

use super::packed::row_start;

/// Cells that are summed together: they stay in the first cache.
const TOGETHER: usize = 3;

/// Adds the products of a band of channels with all channels up to their own to a piece of a packed lower triangle.
pub(super) struct Cells<'a> {
    /// This thread's registers.
    pub(super) kernel: &'a Kernel,
    /// The block of rows.
    pub(super) block: &'a Channels,
    /// The band's channels of it.
    pub(super) band: &'a Band,
    /// First channel of the band, a multiple of 32.
    pub(super) first: usize,
    /// Channels of the band.
    pub(super) channels: usize,
    /// The band's rows of the triangle, behind each other.
    pub(super) sums: &'a mut [f64],
}

impl WithSimd for Cells<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Cells { kernel, block, band, first, channels, sums } = self;
        const SIDE: usize = Channels::BLOCK;
        let beyond = first + channels;
        let mut cells = [[0.0f32; CELL]; TOGETHER];
        // A block of columns meets the band's rows one after the other, which stay in the second cache.
        for column in (0..beyond).step_by(SIDE) {
            for few in (first.max(column)..beyond).step_by(TOGETHER * SIDE) {
                let cells = &mut cells[..(beyond - few).div_ceil(SIDE).min(TOGETHER)];
                let place = |channel: usize| {
                    let from = row_start(channel) - row_start(first) + column;
                    from..from + SIDE.min(channel + 1 - column)
                };
                // Sums of many rows, a little of each: no processor guesses that.
                for channel in few..beyond.min(few + cells.len() * SIDE) {
                    prefetch(&sums[place(channel)]);
                }
                block.cells(kernel, band, (few - first) / SIDE, column / SIDE, cells);
                let lines = cells.iter().flat_map(|cell| cell.chunks_exact(SIDE));
                for (channel, products) in (few..beyond).zip(lines) {
                    // A plain loop of unknown length: of 32 the compiler made single steps, and a closure it left outside
                    // of what is compiled for wide vectors.
                    let sums = &mut sums[place(channel)];
                    for (sum, product) in sums.iter_mut().zip(products) {
                        *sum += f64::from(*product);
                    }
                }
            }
        }
    }
}
