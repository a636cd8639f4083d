//! The reference's searches for the scale (and minimum) of a group of weights, one method per file.

pub(crate) mod affine;
pub(crate) mod descent;
pub(crate) mod lattice;
pub(crate) mod nonlinear;
pub(crate) mod positive;
pub(crate) mod symmetric;
pub(crate) mod ternary;

use crate::lanes::{GROUPS, Lanes};

/// Weights per turn of the innermost loops of the searches: counting to the end of a group takes a tenth of their
/// instructions otherwise.
const UNROLLED: usize = 4;

/// Importance of each weight times the root of its own and its neighbourhood's power: `q * sqrt(sigma2 + x * x)`.
#[inline(always)]
pub(crate) fn weigh<const N: usize>(x: &[f32; N], importance: &[f32; N], sigma2: f32) -> [f32; N] {
    let mut out = [0.0; N];
    for i in 0..N {
        out[i] = importance[i] * (sigma2 + x[i] * x[i]).sqrt();
    }
    out
}

/// Sum of squares from first to last.
pub(crate) fn power(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |sum, v| sum + v * v)
}

/// Weights of a row that are turned into lanes at once: a line of the cache.
const TILE: usize = 16;

/// [`power`] of each of up to [`GROUPS`] rows of `len` weights, a multiple of 16, that follow each other.
///
/// One row's sum waits for each of its additions, four cycles a weight; in lanes the rows wait together.
#[inline(always)]
pub(crate) fn powers_of_rows<V: Lanes>(x: &[f32], len: usize) -> [f32; GROUPS] {
    let mut out = [0.0; GROUPS];
    let rows = x.len() / len;
    for at in (0..rows.min(GROUPS)).step_by(V::COUNT) {
        let mut sum = V::splat(0.0);
        for first in (0..len).step_by(TILE) {
            let mut tile = [[0.0; TILE]; GROUPS];
            for lane in 0..V::COUNT {
                // Lanes without a row repeat the last one.
                tile[lane].copy_from_slice(&x[(at + lane).min(rows - 1) * len + first..][..TILE]);
            }
            let columns: [V; TILE] = V::columns(&tile);
            for i in 0..TILE {
                sum = sum + columns[i] * columns[i];
            }
        }
        sum.store(&mut out[at..]);
    }
    out
}

/// Sum of each group from first to last.
#[inline(always)]
pub(crate) fn totals<V: Lanes, const N: usize>(groups: &[[f32; N]; GROUPS]) -> [f32; GROUPS] {
    let mut out = [0.0; GROUPS];
    for at in (0..GROUPS).step_by(V::COUNT) {
        let columns: [V; N] = V::columns(&groups[at..]);
        let mut sum = V::splat(0.0);
        for i in 0..N {
            sum = sum + columns[i];
        }
        sum.store(&mut out[at..]);
    }
    out
}

/// Sum of the squares of each group from first to last.
#[inline(always)]
pub(crate) fn powers<V: Lanes, const N: usize>(groups: &[[f32; N]; GROUPS]) -> [f32; GROUPS] {
    let mut out = [0.0; GROUPS];
    for at in (0..GROUPS).step_by(V::COUNT) {
        let columns: [V; N] = V::columns(&groups[at..]);
        let mut sum = V::splat(0.0);
        for i in 0..N {
            sum = sum + columns[i] * columns[i];
        }
        sum.store(&mut out[at..]);
    }
    out
}
