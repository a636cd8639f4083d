//! Scale of a group around zero: x ~ scale * level, level in -top..top.
//!
//! The weight of largest magnitude (the first, if several) maps to -top. Of the 19 inverse scales -(top + k/10) / max,
//! k = 0 first and then -9..=9, the one with the largest (sum w x l)^2 / sum(w l l) wins; only a strictly larger one
//! replaces the best so far. The scale is the least-squares answer sum(w x l) / sum(w l l) for its levels.

use crate::lanes::{GROUPS, Lanes, Mask};
use crate::round::nearest_int;

/// A group with no weight of at least this magnitude counts as all zero.
pub(crate) const NOTHING: f32 = 1e-15;

/// The answer for [`GROUPS`] groups.
pub(crate) struct Fit {
    /// Scale per group; 0 for a group of zeros.
    pub(crate) scale: [f32; GROUPS],
    /// Inverse scale of the try that gave the levels; 0 for a group of zeros.
    inverse: [f32; GROUPS],
}

impl Fit {
    /// Room for an answer.
    pub(crate) const NONE: Fit = Fit { scale: [0.0; GROUPS], inverse: [0.0; GROUPS] };

    /// The levels of the winning try, stored as level + `top`; a group of zeros is stored as 0, not as `top`.
    pub(crate) fn levels<const N: usize>(&self, group: usize, x: &[f32; N], top: i32) -> [u8; N] {
        if self.inverse[group] == 0.0 {
            return [0; N];
        }
        x.map(|v| (nearest_int(self.inverse[group] * v).clamp(-top, top - 1) + top) as u8)
    }
}

/// Fits groups of `N` weights; without `weights` each weight's square counts.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes, const N: usize>(
    top: i32,
    x: &[[f32; N]; GROUPS],
    weights: Option<&[[f32; N]; GROUPS]>,
) -> Fit {
    let mut fit = Fit::NONE;
    for at in (0..GROUPS).step_by(V::COUNT) {
        let x: [V; N] = V::columns(&x[at..]);
        let (scale, inverse) = match weights {
            Some(weights) => fit_lanes(top, &x, &V::columns(&weights[at..])),
            None => {
                let mut squares = x;
                for i in 0..N {
                    squares[i] = x[i] * x[i];
                }
                fit_lanes(top, &x, &squares)
            }
        };
        scale.store(&mut fit.scale[at..]);
        inverse.store(&mut fit.inverse[at..]);
    }
    fit
}

/// Scale and inverse scale of the groups in the lanes.
#[inline(always)]
fn fit_lanes<V: Lanes, const N: usize>(top: i32, x: &[V; N], weights: &[V; N]) -> (V, V) {
    let zero = V::splat(0.0);
    let (mut largest, mut magnitude) = (zero, zero);
    let mut products = [zero; N];
    for i in 0..N {
        let larger = x[i].abs().gt(magnitude);
        magnitude = V::select(larger, x[i].abs(), magnitude);
        largest = V::select(larger, x[i], largest);
        products[i] = weights[i] * x[i];
    }

    let mut inverse = V::splat(-top as f32) / largest;
    let (sum_lx, sum_ll) = level_sums(top, inverse, x, weights, &products);
    let mut scale = V::select(sum_ll.eq(zero), zero, sum_lx / sum_ll);
    let mut best = scale * sum_lx;
    for k in -9..=9 {
        if k == 0 {
            continue;
        }
        let candidate = V::splat(-(top as f32 + 0.1 * k as f32)) / largest;
        let (sum_lx, sum_ll) = level_sums(top, candidate, x, weights, &products);
        let better = sum_ll.gt(zero).and((sum_lx * sum_lx).gt(best * sum_ll));
        let fitted = sum_lx / sum_ll;
        scale = V::select(better, fitted, scale);
        best = V::select(better, fitted * sum_lx, best);
        inverse = V::select(better, candidate, inverse);
    }
    let nothing = V::splat(NOTHING).gt(magnitude);
    (V::select(nothing, zero, scale), V::select(nothing, zero, inverse))
}

/// sum(w x l) and sum(w l l) over the group. |inverse * x| stays below top + 2, so rounding never wraps.
#[inline(always)]
fn level_sums<V: Lanes, const N: usize>(
    top: i32,
    inverse: V,
    x: &[V; N],
    weights: &[V; N],
    products: &[V; N],
) -> (V, V) {
    let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
    let (mut sum_lx, mut sum_ll) = (V::splat(0.0), V::splat(0.0));
    for i in 0..N {
        let level = (inverse * x[i]).nearest().max(lowest).min(highest);
        sum_lx = sum_lx + products[i] * level;
        sum_ll = sum_ll + weights[i] * level * level;
    }
    (sum_lx, sum_ll)
}
