//! Scale of a group around zero: x ~ scale * level, level in -top..top.
//!
//! The weight of largest magnitude (the first, if several) maps to -top. Of the 19 inverse scales -(top + k/10) / max,
//! k = 0 first and then -9..=9, the one with the largest (sum w x l)^2 / sum(w l l) wins; only a strictly larger one
//! replaces the best so far. The scale is the least-squares answer sum(w x l) / sum(w l l) for its levels.

use crate::lanes::{Lanes, transpose};
use crate::round::nearest_int;

/// A group with no weight of at least this magnitude counts as all zero.
pub(crate) const NOTHING: f32 = 1e-15;

/// The answer for `L` groups.
#[derive(Clone, Copy)]
pub(crate) struct Fit<const L: usize> {
    /// Scale per group; 0 for a group of zeros.
    pub(crate) scale: [f32; L],
    /// Inverse scale of the try that gave the levels; 0 for a group of zeros.
    inverse: [f32; L],
}

impl<const L: usize> Fit<L> {
    /// The levels of the winning try, stored as level + `top`; a group of zeros is stored as 0, not as `top`.
    pub(crate) fn levels<const N: usize>(&self, lane: usize, x: &[f32; N], top: i32) -> [u8; N] {
        let inverse = self.inverse[lane];
        if inverse == 0.0 {
            return [0; N];
        }
        x.map(|v| (nearest_int(inverse * v).clamp(-top, top - 1) + top) as u8)
    }
}

/// Fits `L` consecutive groups of `N` weights; without `weights` each weight's square counts.
#[inline(always)]
pub(crate) fn fit_groups<const N: usize, const L: usize, const T: usize>(
    top: i32,
    x: &[f32; T],
    weights: Option<&[f32; T]>,
) -> Fit<L> {
    let x = transpose::<N, L, T>(x);
    let weights = match weights {
        Some(weights) => transpose::<N, L, T>(weights),
        None => x.map(|x| x * x),
    };
    fit_lanes(top, &x, &weights)
}

#[inline(always)]
fn fit_lanes<const N: usize, const L: usize>(top: i32, x: &[Lanes<L>; N], weights: &[Lanes<L>; N]) -> Fit<L> {
    let (mut largest, mut magnitude) = (Lanes::ZERO, Lanes::ZERO);
    let mut products = [Lanes::ZERO; N];
    for i in 0..N {
        let larger = x[i].abs().gt(magnitude);
        magnitude = larger.select(x[i].abs(), magnitude);
        largest = larger.select(x[i], largest);
        products[i] = weights[i] * x[i];
    }
    let sums = |inverse: Lanes<L>| level_sums(top, inverse, x, weights, &products);

    let mut inverse = Lanes::splat(-top as f32) / largest;
    let (sum_lx, sum_ll) = sums(inverse);
    let mut scale = sum_ll.eq(Lanes::ZERO).select(Lanes::ZERO, sum_lx / sum_ll);
    let mut best = scale * sum_lx;
    for k in (-9..=9).filter(|&k| k != 0) {
        let candidate = Lanes::splat(-(top as f32 + 0.1 * k as f32)) / largest;
        let (sum_lx, sum_ll) = sums(candidate);
        let better = sum_ll.gt(Lanes::ZERO).and((sum_lx * sum_lx).gt(best * sum_ll));
        let fitted = sum_lx / sum_ll;
        scale = better.select(fitted, scale);
        best = better.select(fitted * sum_lx, best);
        inverse = better.select(candidate, inverse);
    }
    let nothing = Lanes::splat(NOTHING).gt(magnitude);
    Fit { scale: nothing.select(Lanes::ZERO, scale).0, inverse: nothing.select(Lanes::ZERO, inverse).0 }
}

/// sum(w x l) and sum(w l l) over the group. |inverse * x| stays below top + 2, so rounding never wraps.
#[inline(always)]
fn level_sums<const N: usize, const L: usize>(
    top: i32,
    inverse: Lanes<L>,
    x: &[Lanes<L>; N],
    weights: &[Lanes<L>; N],
    products: &[Lanes<L>; N],
) -> (Lanes<L>, Lanes<L>) {
    let (lowest, highest) = (Lanes::splat(-top as f32), Lanes::splat((top - 1) as f32));
    let (mut sum_lx, mut sum_ll) = (Lanes::ZERO, Lanes::ZERO);
    for i in 0..N {
        let level = (inverse * x[i]).nearest().max(lowest).min(highest);
        sum_lx = sum_lx + products[i] * level;
        sum_ll = sum_ll + weights[i] * level * level;
    }
    (sum_lx, sum_ll)
}
