//! Products of channels over a block of rows: in registers, then in cache as f32, then in f64.

use pulp::{Simd, WithSimd};

use super::panels::Panels;
use super::packed::row_start;

/// Vectors of a panel. With the rows that `with_simd` chooses, the sums fill the registers: 12 of AVX2's 16, 24 of
/// AVX-512's 32.
pub(super) const VECTORS: usize = 3;

/// Rows of X whose products are summed in one register before the sum leaves it: what decides the accuracy, see
/// [`super`]. Measured on Zen 3: 64 would be 3 % faster and half as accurate.
const REGISTER_ROWS: usize = 32;

/// Rows of X whose products are summed in f32 before they go to f64. Two panels of so many rows fit into 32 KiB.
const CACHE_ROWS: usize = 256;

/// Adds the products of a band of channels with all channels up to their own to a piece of a packed lower triangle.
pub(super) struct Product<'a> {
    /// The block of rows.
    pub(super) panels: &'a Panels,
    /// First channel of the band: a multiple of the panels' width.
    pub(super) first: usize,
    /// Channels of the band.
    pub(super) channels: usize,
    /// Panels of one tile of columns, whose sums stay in the second cache.
    pub(super) tile: usize,
    /// The band's rows of the triangle, behind each other.
    pub(super) sums: &'a mut [f64],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 8>(simd),
            4 => self.run::<S, 4>(simd),
            _ => self.run::<S, 3>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Product { panels, first, channels, tile, sums } = self;
        let width = VECTORS * S::F32_LANES;
        let (top, count) = (first / width, channels.div_ceil(width));
        for tile_start in (0..top + count).step_by(tile) {
            let tile_end = (tile_start + tile).min(top + count);
            for start in (0..panels.rows()).step_by(CACHE_ROWS) {
                let end = panels.rows().min(start + CACHE_ROWS);
                for right in tile_start..tile_end {
                    for left in top.max(right)..top + count {
                        let (a, b) = (panels.part(left, start, end), panels.part(right, start, end));
                        for offset in (0..width).step_by(ROWS) {
                            let cell = cell::<S, ROWS>(simd, a, b, offset);
                            for (row, cell) in cell.iter().enumerate() {
                                let channel = left * width + offset + row;
                                if channel < first + channels {
                                    let start = row_start(channel) - row_start(first);
                                    let from = right * width;
                                    let to = (from + width).min(channel + 1);
                                    add::<S>(&mut sums[start + from..start + to.max(from)], cell);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds the first products of a row of a cell to their sums: all of them but at the diagonal and the last channel.
#[inline(always)]
fn add<S: Simd>(sums: &mut [f64], products: &[S::f32s; VECTORS]) {
    let mut vectors = sums.chunks_exact_mut(S::F32_LANES);
    let mut products: &[f32] = bytemuck::cast_slice(products);
    for sums in &mut vectors {
        let (now, later) = products.split_at(S::F32_LANES);
        products = later;
        for (sum, product) in sums.iter_mut().zip(now) {
            *sum += f64::from(*product);
        }
    }
    for (sum, product) in vectors.into_remainder().iter_mut().zip(products) {
        *sum += f64::from(*product);
    }
}

/// Products of `ROWS` channels of panel `left`, from `offset` on, with all channels of panel `right`.
#[inline(always)]
fn cell<S: Simd, const ROWS: usize>(simd: S, left: &[f32], right: &[f32], offset: usize) -> [[S::f32s; VECTORS]; ROWS] {
    let zero = simd.splat_f32s(0.0);
    let width = VECTORS * S::F32_LANES;
    let mut total = [[zero; VECTORS]; ROWS];
    for (left, right) in left.chunks(REGISTER_ROWS * width).zip(right.chunks(REGISTER_ROWS * width)) {
        let mut sums = [[zero; VECTORS]; ROWS];
        for (left, right) in left.chunks_exact(width).zip(right.chunks_exact(width)) {
            let right: &[S::f32s] = bytemuck::cast_slice(right);
            let right: &[S::f32s; VECTORS] = right.try_into().expect("a panel is three vectors wide");
            let left: &[f32; ROWS] = left[offset..offset + ROWS].try_into().expect("within the panel");
            for (sums, left) in sums.iter_mut().zip(left) {
                let left = simd.splat_f32s(*left);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = simd.mul_add_e_f32s(left, *right, *sum);
                }
            }
        }
        for (total, sums) in total.iter_mut().zip(&sums) {
            for (total, sum) in total.iter_mut().zip(sums) {
                *total = simd.add_f32s(*total, *sum);
            }
        }
    }
    total
}
