//! Scale of a group around zero: x ~ scale * level, level in -top..top.
//!
//! The weight of largest magnitude (the first, if several) maps to -top. Of the 19 inverse scales -(top + k/10) / max,
//! k = 0 first and then -9..=9, the one with the largest (sum w x l)^2 / sum(w l l) wins; only a strictly larger one
//! replaces the best so far. The scale is the least-squares answer sum(w x l) / sum(w l l) for its levels.

use super::UNROLLED;
use crate::lanes::{GROUPS, Lanes, Mask};

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

    /// The levels of the winning try, stored as level + `top`; a group of zeros is stored as 0, not as `top`. Here a lane
    /// is a weight, not a group; `N` is a multiple of all numbers of lanes.
    #[inline(always)]
    pub(crate) fn levels<V: Lanes, const N: usize>(&self, group: usize, x: &[f32; N], top: i32) -> [u8; N] {
        let mut levels = [0; N];
        if self.inverse[group] == 0.0 {
            return levels;
        }
        let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
        for at in (0..N).step_by(V::COUNT) {
            let level = (V::splat(self.inverse[group]) * V::load(&x[at..])).nearest().max(lowest).min(highest);
            (level - lowest).store_bytes(&mut levels[at..]);
        }
        levels
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

    // The end that the largest weight lies at is passed only by tries that would give it a level beyond; the other end,
    // one level nearer to zero, is reached unless all weights stay half a level below the largest.
    let inverse = V::splat(-top as f32) / largest;
    let (sum_lx, sum_ll) = level_sums::<V, N, false, true>(top, inverse, x, weights, &products);
    let scale = V::select(sum_ll.eq(zero), zero, sum_lx / sum_ll);
    let mut kept = Kept { scale, best: scale * sum_lx, inverse };
    for k in -9..=-6 {
        kept.consider::<N, false, false>(top, k, largest, x, weights, &products);
    }
    for k in (-5..=4).filter(|&k| k != 0) {
        kept.consider::<N, false, true>(top, k, largest, x, weights, &products);
    }
    for k in 5..=9 {
        kept.consider::<N, true, true>(top, k, largest, x, weights, &products);
    }
    let nothing = V::splat(NOTHING).gt(magnitude);
    (V::select(nothing, zero, kept.scale), V::select(nothing, zero, kept.inverse))
}

/// The best try so far.
struct Kept<V: Lanes> {
    scale: V,
    /// (sum w x l)^2 / sum(w l l).
    best: V,
    inverse: V,
}

impl<V: Lanes> Kept<V> {
    /// Tries the inverse scale -(`top` + `k` / 10) / `largest`.
    #[inline(always)]
    fn consider<const N: usize, const LOW: bool, const HIGH: bool>(
        &mut self,
        top: i32,
        k: i32,
        largest: V,
        x: &[V; N],
        weights: &[V; N],
        products: &[V; N],
    ) {
        let inverse = V::splat(-(top as f32 + 0.1 * k as f32)) / largest;
        let (sum_lx, sum_ll) = level_sums::<V, N, LOW, HIGH>(top, inverse, x, weights, products);
        let better = sum_ll.gt(V::splat(0.0)).and((sum_lx * sum_lx).gt(self.best * sum_ll));
        let scale = sum_lx / sum_ll;
        self.scale = V::select(better, scale, self.scale);
        self.best = V::select(better, scale * sum_lx, self.best);
        self.inverse = V::select(better, inverse, self.inverse);
    }
}

/// sum(w x l) and sum(w l l) over the group. |inverse * x| stays below top + 2, so rounding never wraps. `LOW` and `HIGH`
/// tell whether a level can come out below the lowest and above the highest.
#[inline(always)]
fn level_sums<V: Lanes, const N: usize, const LOW: bool, const HIGH: bool>(
    top: i32,
    inverse: V,
    x: &[V; N],
    weights: &[V; N],
    products: &[V; N],
) -> (V, V) {
    const { assert!(N.is_multiple_of(UNROLLED)) };
    let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
    let (mut sum_lx, mut sum_ll) = (V::splat(0.0), V::splat(0.0));
    for first in (0..N).step_by(UNROLLED) {
        for i in first..first + UNROLLED {
            let mut level = (inverse * x[i]).nearest();
            if LOW {
                level = level.max(lowest);
            }
            if HIGH {
                level = level.min(highest);
            }
            sum_lx = sum_lx + products[i] * level;
            sum_ll = sum_ll + weights[i] * level * level;
        }
    }
    (sum_lx, sum_ll)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_not_looked_at_are_not_passed() {
        let mut seed = 9u32;
        for round in 0..2000 {
            let mut x: [f32; 16] = core::array::from_fn(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
            });
            // The largest weight once more, with the same sign and with the other one.
            let largest = x.iter().fold(0.0f32, |kept, &v| if v.abs() > kept.abs() { v } else { kept });
            (x[round % 16], x[(round + 5) % 16]) = (largest, -largest);
            let ones = [1.0; 16];
            for top in [4, 8, 16, 32] {
                let sums = |k: i32| {
                    let inverse = -(top as f32 + 0.1 * k as f32) / largest;
                    let all = level_sums::<f32, 16, true, true>(top, inverse, &x, &ones, &x);
                    let found = match k {
                        ..=-6 => level_sums::<f32, 16, false, false>(top, inverse, &x, &ones, &x),
                        -5..=4 => level_sums::<f32, 16, false, true>(top, inverse, &x, &ones, &x),
                        _ => all,
                    };
                    (all, found)
                };
                for k in -9..=9 {
                    let (all, found) = sums(k);
                    assert_eq!(all, found, "{top} {k} {x:?}");
                }
            }
        }
    }
}
