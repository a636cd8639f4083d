//! Gram matrices `G = sum x x^T`, accurate, fast, and the same bits for any number of threads.
//!
//! Two ways of multiplying, of which the processor decides once. With u = 2^-24, errors are in units of `sqrt(G_ii G_jj)`, by the
//! Cauchy-Schwarz inequality:
//!
//! - In vectors: products come in f32 with fused multiply-add, are summed over 64 rows in registers, two of these sums in
//!   f32, and everything above in f64: at most 66 u = 3.9e-6, whatever the data; for the steadiest data, where rounding always
//!   errs to one side (a million equal rows), less than 1e-6; measured about 1e-8 for uniform noise. Products of channels
//!   whose values all lie below 1e-19 underflow.
//! - In tiles ([`llmq_tiles`]): values have 16 bits, which leaves out 512 u = 3.1e-5 of a product at most, of either sign; what
//!   bf16 alone leaves out, in which the peers compute, is up to 256 times as much. Products are summed over 512 rows in f32
//!   (in two chains of 16, says the manual, thus 16 x 3 x 16 additions, of which 16 x 16 are of large products), everything
//!   above in f64. Measured 1.3e-5 for equal rows, about 1e-5 over the root of the number of rows for noise. Channels whose
//!   values all lie below 1e-16 lose digits.
//!
//! The diagonal that [`crate::Record`] shows is the f64 sum of squares, so it does not have even this error.
//!
//! The kernel in vectors is our own, not a library's: a library sums a whole block in one register, and neither keeps f64
//! sums of f32 products nor stores a triangle without its other half. `benches/gram.rs` puts faer's triangular product
//! beside it. It is safe code over the crate `pulp`, which enters AVX2 or AVX-512 at run time.
//!
//! Work is cut into bands of channels, and one thread computes a band as any other would.

mod block;
mod cells;
mod kernel;
mod packed;
mod panels;
#[cfg(test)]
mod tests;

use llmq_tiles::{Band, Channels};
use pulp::Arch;
use rayon::prelude::*;
use std::cell::RefCell;

pub(crate) use block::Block;
use cells::Cells;
use kernel::Product;
pub(crate) use packed::mirror;
pub use packed::{Gram, row_start};

/// Channels of a band in vectors: a multiple of the width of every panel (6 and 12; 2, 8, 16 and 32).
const BAND: usize = 96;

/// Columns of a tile. The f64 sums of a band's tile take 144 KiB of the second cache.
const TILE: usize = 192;

thread_local! {
    /// A thread's channels as left factors: half a MiB.
    static BAND_IN_TILES: RefCell<Band> = RefCell::default();
}

impl Gram {
    /// Adds the products of rows, at most [`crate::BLOCK_ROWS`]. `scratch` was made for as many columns.
    pub(crate) fn add(&mut self, rows: &[f32], scratch: &mut Block) {
        let columns = self.columns();
        scratch.fill(rows, columns);
        let block = &*scratch;
        let band = block.band(columns);
        let mut bands = Vec::with_capacity(columns.div_ceil(band));
        let mut rest = self.packed_mut();
        for first in (0..columns).step_by(band) {
            let channels = band.min(columns - first);
            let (sums, more) = rest.split_at_mut(row_start(first + channels) - row_start(first));
            rest = more;
            bands.push((first, channels, sums));
        }
        // The last bands are the longest: whoever starts with them has the short ones left to even out.
        bands.into_par_iter().rev().with_max_len(1).for_each(|(first, channels, sums)| match block {
            Block::Vectors(panels) => {
                Arch::new().dispatch(Product { panels, first, channels, tile: TILE, sums });
            }
            Block::Tiles(tiles, block) => {
                let side = Channels::BLOCK;
                let mut band = BAND_IN_TILES.take();
                block.turn(first / side..(first + channels).div_ceil(side), &mut band);
                Arch::new().dispatch(Cells { kernel: &tiles.enter(), block, band: &band, first, channels, sums });
                BAND_IN_TILES.set(band);
            }
        });
    }
}
