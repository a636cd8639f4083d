//! Scale of a group of 32 for sixteen unevenly spaced values: x ~ scale * value.
//!
//! The first try maps the weight of largest magnitude (the first, if several) to 127. Of that and the inverse scales
//! (-127 + k) / max, k = -7..=7, the one with the largest sum(w v x)^2 / sum(w v v) wins, a later one only if strictly
//! larger; the scale is the least-squares answer sum(w v x) / sum(w v v) for its values.

use super::symmetric::NOTHING;
use crate::lanes::{GROUPS, Lanes, Mask};

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
    let mut codes = [0i32; 32];
    for i in 0..32 {
        let v = inverse * x[i];
        for boundary in BOUNDARIES {
            codes[i] += i32::from(!below(v, boundary));
        }
    }
    codes.map(|code| code as u8)
}

#[inline(always)]
fn below(v: f32, boundary: f32) -> bool {
    v < boundary
}

/// Scale times value of packed codes, from a table of the sixteen products.
#[inline(always)]
pub(crate) fn values_of(packed: &[u8; 16], scale: f32, out: &mut [f32; 32]) {
    let products = VALUES.map(|value| scale * value);
    for i in 0..16 {
        out[i] = products[usize::from(packed[i] & 15)];
        out[i + 16] = products[usize::from(packed[i] >> 4)];
    }
}

/// The two values that all tries but the first choose from for a weight, and the boundary between them.
#[derive(Clone, Copy)]
struct Choice<V> {
    boundary: V,
    lower: V,
    upper: V,
}

/// Inverse scales of all tries but the first lie between -120 / max and -134 / max, boundaries of one sign lie further apart than
/// 1 : 1.2, so at most one of them lies where a weight can come to stand. It is the last that `furthest`, the largest
/// number the weight can become, does not lie below; if none is, the one before it decides the same for every try.
#[inline(always)]
fn choice<V: Lanes>(furthest: V) -> Choice<V> {
    let mut choice = Choice { boundary: V::splat(f32::MIN), lower: V::splat(VALUES[0]), upper: V::splat(VALUES[0]) };
    for i in 0..15 {
        let boundary = V::splat(BOUNDARIES[i]);
        let reached = boundary.le(furthest);
        choice.boundary = V::select(reached, boundary, choice.boundary);
        choice.lower = V::select(reached, V::splat(VALUES[i]), choice.lower);
        choice.upper = V::select(reached, V::splat(VALUES[i + 1]), choice.upper);
    }
    choice
}

/// Scales of sixteen groups; 0 for a group of zeros.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes>(x: &[[f32; 32]; GROUPS], weights: &[[f32; 32]; GROUPS]) -> [f32; GROUPS] {
    let mut scales = [0.0; GROUPS];
    for at in (0..GROUPS).step_by(V::COUNT) {
        fit_lanes::<V>(&V::columns(&x[at..]), &V::columns(&weights[at..])).store(&mut scales[at..]);
    }
    scales
}

#[inline(always)]
fn fit_lanes<V: Lanes>(x: &[V; 32], weights: &[V; 32]) -> V {
    let zero = V::splat(0.0);
    let (mut largest, mut magnitude) = (zero, zero);
    for i in 0..32 {
        let larger = x[i].abs().gt(magnitude);
        magnitude = V::select(larger, x[i].abs(), magnitude);
        largest = V::select(larger, x[i], largest);
    }
    // A little beyond the ends of all tries, so that rounding cannot carry a try past them.
    let (least, most) = (V::splat(-119.9) / largest, V::splat(-134.1) / largest);
    let mut choices = [choice(zero); 32];
    for i in 0..32 {
        let (a, b) = (least * x[i], most * x[i]);
        choices[i] = choice(a.max(b));
    }

    let first = V::splat(1.0) / ((V::splat(-0.0) - largest) / V::splat(VALUES[0]));
    let (mut sum_vx, mut sum_vv) = (zero, zero);
    for i in 0..32 {
        let value = choice(first * x[i]).upper;
        let weighted = weights[i] * value;
        sum_vx = sum_vx + weighted * x[i];
        sum_vv = sum_vv + weighted * value;
    }
    let mut scale = V::select(sum_vv.gt(zero), sum_vx / sum_vv, zero);
    let mut best = scale * sum_vx;
    for k in -7..=7 {
        let (sum_vx, sum_vv) = value_sums(V::splat(k as f32 + VALUES[0]) / largest, &choices, x, weights);
        let better = sum_vv.gt(zero).and((sum_vx * sum_vx).gt(best * sum_vv));
        let fitted = sum_vx / sum_vv;
        scale = V::select(better, fitted, scale);
        best = V::select(better, fitted * sum_vx, best);
    }
    V::select(V::splat(NOTHING).gt(magnitude), zero, scale)
}

#[inline(always)]
fn value_sums<V: Lanes>(inverse: V, choices: &[Choice<V>; 32], x: &[V; 32], weights: &[V; 32]) -> (V, V) {
    let (mut sum_vx, mut sum_vv) = (V::splat(0.0), V::splat(0.0));
    for i in 0..32 {
        let Choice { boundary, lower, upper } = choices[i];
        let value = V::select(boundary.le(inverse * x[i]), upper, lower);
        let weighted = weights[i] * value;
        sum_vx = sum_vx + weighted * x[i];
        sum_vv = sum_vv + weighted * value;
    }
    (sum_vx, sum_vv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_weight_can_cross_two_boundaries() {
        let apart = |a: f32, b: f32| a / b > 134.1 / 119.9 * 1.05;
        for pair in BOUNDARIES.windows(2) {
            assert!(pair[0] < 0.0 && pair[1] > 0.0 || apart(pair[1], pair[0]) || apart(pair[0], pair[1]), "{pair:?}");
        }
    }
}
