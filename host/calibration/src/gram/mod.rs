//! Gram matrices `G = sum x x^T`, accurate, fast, and the same bits for any number of threads.
//!
//! Two ways of multiplying, of which the processor decides once; both promise as much. With u = 2^-24, a value is wrong
//! by at most `66 u sqrt(G_ii G_jj)` = 3.9e-6, by the Cauchy-Schwarz inequality, whatever the data; for the steadiest
//! data, where rounding always errs to one side (a million equal rows), by less than 1e-6; measured about 1e-8 for
//! uniform noise. One f32 sum over 512 rows would have a bound of 3e-5.
//!
//! - In vectors: products come in f32 with fused multiply-add, are summed over 64 rows in registers, two of these sums in
//!   f32, and everything above in f64. Products of channels whose values all lie below 1e-19 underflow.
//! - In tiles ([`llmq_tiles`]): products of pieces are summed over 512 rows in f32, everything above in f64. 32 large
//!   products become one sum in at most 31 roundings (in two chains of 16, says the manual, thus 16), and 16 such sums
//!   are added up. The small ones, together at most 2^-6.9 of the large ones, go through 80 additions more, which is less
//!   than 1 u; what is left out is at most 2 u: 50 u in all. Channels whose values all lie below 1e-16 lose digits.
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

use pulp::Arch;
use rayon::prelude::*;

pub(crate) use block::Block;
use cells::Cells;
use kernel::Product;
pub(crate) use packed::mirror;
pub use packed::{Gram, row_start};

/// Channels of a band in vectors: a multiple of the width of every panel (6 and 12; 2, 8, 16 and 32).
const BAND: usize = 96;

/// Columns of a tile. The f64 sums of a band's tile take 144 KiB of the second cache.
const TILE: usize = 192;

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
                Arch::new().dispatch(Cells { kernel: &tiles.enter(), block, first, channels, sums });
            }
        });
    }
}
