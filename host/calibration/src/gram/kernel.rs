//! Products of channels over a block of rows: in registers, then in f32 in cache, then in f64.

use pulp::{Simd, WithSimd};

use super::packed::row_start;
use super::panels::{Panels, Widths};

/// Vectors of a right panel.
pub(super) const VECTORS: usize = 2;

/// Rows of X whose products are summed in one register before the sum leaves it: what decides the accuracy, see
/// [`super`].
const REGISTER_ROWS: usize = 64;

/// Rows of X whose products are summed in f32 before they go to f64. A right panel of so many rows fits into the first
/// cache and leaves room for the left ones that go by (measured: 256 rows are no faster).
const CACHE_ROWS: usize = 128;

/// Adds the products of a band of channels with all channels up to their own to a piece of a packed lower triangle.
pub(super) struct Product<'a> {
    /// The block of rows.
    pub(super) panels: &'a Panels,
    /// First channel of the band.
    pub(super) first: usize,
    /// Channels of the band.
    pub(super) channels: usize,
    /// Columns of one tile, whose sums stay in the second cache.
    pub(super) tile: usize,
    /// The band's rows of the triangle, behind each other.
    pub(super) sums: &'a mut [f64],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The width is a constant of the type in all but name: generic parameters cannot be computed yet.
        if const { Widths::of(S::F32_LANES).left == 12 } { self.run::<S, 12>(simd) } else { self.run::<S, 6>(simd) }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Product { panels, first, channels, tile, sums } = self;
        let width = VECTORS * S::F32_LANES;
        assert_eq!(panels.widths(), Widths { left: ROWS, right: width }, "panels for this processor");
        let beyond = first + channels;
        // Rows of the triangle lie almost a power of two apart, so that a tile of it falls into few sets of every cache.
        // Sums of a tile are made in a block of their own; the triangle sees each of them once.
        let mut block = vec![0.0f64; channels.next_multiple_of(ROWS) * tile];
        for tile_start in (0..beyond).step_by(tile) {
            let tile_end = beyond.min(tile_start + tile);
            block.fill(0.0);
            for start in (0..panels.rows()).step_by(CACHE_ROWS) {
                let end = panels.rows().min(start + CACHE_ROWS);
                for column in (tile_start..tile_end).step_by(width) {
                    let right = panels.right(column / width, start, end);
                    for row in (first..beyond).step_by(ROWS).filter(|row| row + ROWS > column) {
                        let cell = cell::<S, ROWS>(simd, panels.left(row / ROWS, start, end), right);
                        let sums = block[(row - first) * tile + (column - tile_start)..].chunks_mut(tile);
                        for (sums, cell) in sums.zip(&cell) {
                            add::<S>(&mut sums[..width], cell);
                        }
                    }
                }
            }
            for (channel, block) in (first..beyond).zip(block.chunks(tile)) {
                let from = row_start(channel) - row_start(first) + tile_start;
                let count = (tile_end - tile_start).min((channel + 1).saturating_sub(tile_start));
                for (sum, block) in sums[from..from + count].iter_mut().zip(block) {
                    *sum += block;
                }
            }
        }
    }
}

/// Adds the products of a row of a cell to their sums.
#[inline(always)]
fn add<S: Simd>(sums: &mut [f64], products: &[S::f32s; VECTORS]) {
    let products: &[f32] = bytemuck::cast_slice(products);
    for (sums, products) in sums.chunks_exact_mut(S::F32_LANES).zip(products.chunks_exact(S::F32_LANES)) {
        for (sum, product) in sums.iter_mut().zip(products) {
            *sum += f64::from(*product);
        }
    }
}

/// Products of all channels of two panels.
#[inline(always)]
fn cell<S: Simd, const ROWS: usize>(simd: S, left: &[f32], right: &[f32]) -> [[S::f32s; VECTORS]; ROWS] {
    let zero = simd.splat_f32s(0.0);
    let width = VECTORS * S::F32_LANES;
    let mut total = [[zero; VECTORS]; ROWS];
    for (left, right) in left.chunks(REGISTER_ROWS * ROWS).zip(right.chunks(REGISTER_ROWS * width)) {
        let mut sums = [[zero; VECTORS]; ROWS];
        for (left, right) in left.chunks_exact(ROWS).zip(right.chunks_exact(width)) {
            let right: &[S::f32s] = bytemuck::cast_slice(right);
            let right: &[S::f32s; VECTORS] = right.try_into().expect("a right panel is so wide");
            let left: &[f32; ROWS] = left.try_into().expect("a left panel is so wide");
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
