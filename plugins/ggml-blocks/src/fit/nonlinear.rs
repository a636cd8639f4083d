//! Scale of a group of 32 for sixteen unevenly spaced values: x ~ scale * value.
//!
//! The weight of largest magnitude (the first, if several) maps to the value -127. Of that and the inverse scales
//! (-127 + k) / max, k = -7..=7, the one with the largest sum(w v x)^2 / sum(w v v) wins, a later one only if strictly
//! larger; the scale is the least-squares answer sum(w v x) / sum(w v v) for its values.

use super::symmetric::NOTHING;
use crate::lanes::{Lanes, transpose};

/// The values of the codes 0..=15 (from llama.cpp, see NOTICE).
pub(crate) const VALUES: [f32; 16] =
    [-127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0];

/// Between code i and i + 1; a number on the boundary belongs to the upper one.
const BOUNDARIES: [f32; 15] = {
    let mut boundaries = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        boundaries[i] = (VALUES[i] + VALUES[i + 1]) / 2.0;
        i += 1;
    }
    boundaries
};

/// Codes of the values nearest to `inverse * x`. NaN counts as above every boundary.
#[inline(always)]
pub(crate) fn codes(x: &[f32; 32], inverse: f32) -> [u8; 32] {
    x.map(|v| BOUNDARIES.iter().fold(0, |code, &boundary| code + i32::from(!below(inverse * v, boundary))))
        .map(|c| c as u8)
}

/// Scales of eight consecutive groups; 0 for a group of zeros.
#[inline(always)]
pub(crate) fn fit_groups(x: &[f32; 256], weights: &[f32; 256]) -> [f32; 8] {
    let (x, weights) = (transpose::<32, 8, 256>(x), transpose::<32, 8, 256>(weights));
    let (mut largest, mut magnitude) = (Lanes::ZERO, Lanes::ZERO);
    for x in x {
        let larger = x.abs().gt(magnitude);
        magnitude = larger.select(x.abs(), magnitude);
        largest = larger.select(x, largest);
    }
    let first = Lanes::splat(1.0) / (largest.map(|v| -v) / Lanes::splat(VALUES[0]));
    let (sum_vx, sum_vv) = value_sums(first, &x, &weights);
    let mut scale = sum_vv.gt(Lanes::ZERO).select(sum_vx / sum_vv, Lanes::ZERO);
    let mut best = scale * sum_vx;
    for k in -7..=7 {
        let (sum_vx, sum_vv) = value_sums(Lanes::splat(k as f32 + VALUES[0]) / largest, &x, &weights);
        let better = sum_vv.gt(Lanes::ZERO).and((sum_vx * sum_vx).gt(best * sum_vv));
        let fitted = sum_vx / sum_vv;
        scale = better.select(fitted, scale);
        best = better.select(fitted * sum_vx, best);
    }
    Lanes::splat(NOTHING).gt(magnitude).select(Lanes::ZERO, scale).0
}

#[inline(always)]
fn value_sums(inverse: Lanes<8>, x: &[Lanes<8>; 32], weights: &[Lanes<8>; 32]) -> (Lanes<8>, Lanes<8>) {
    let (mut sum_vx, mut sum_vv) = (Lanes::ZERO, Lanes::ZERO);
    for i in 0..32 {
        let value = (inverse * x[i]).map(nearest_value);
        let weighted = weights[i] * value;
        sum_vx = sum_vx + weighted * x[i];
        sum_vv = sum_vv + weighted * value;
    }
    (sum_vx, sum_vv)
}

/// Adds up the steps between values, which is exact and needs no branch and no table.
#[inline(always)]
fn nearest_value(v: f32) -> f32 {
    let mut value = VALUES[0];
    for i in 0..15 {
        value += if below(v, BOUNDARIES[i]) { 0.0 } else { VALUES[i + 1] - VALUES[i] };
    }
    value
}

#[inline(always)]
fn below(v: f32, boundary: f32) -> bool {
    v < boundary
}
