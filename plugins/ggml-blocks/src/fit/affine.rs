//! Scale and minimum of a group: x ~ scale * level + minimum, level in 0..=top, minimum <= 0.
//!
//! Start from the range, then try `steps + 1` inverse scales (first + step * k + top) / (max - minimum); for each set of
//! levels l the weighted least-squares answer is, with D = sum(w) sum(w l l) - sum(w l)^2,
//!     scale = (sum(w) sum(w l x) - sum(w x) sum(w l)) / D
//!     minimum = (sum(w l l) sum(w x) - sum(w l) sum(w l x)) / D
//! (through the origin if that minimum is positive), kept if its weighted error is strictly smaller.
//! The minimum kept so far enters the next try's inverse scale; that feedback is the reference's, and is needed.
//! Where it comes close to the maximum, inverse * (x - minimum) can leave the range of the rounding trick and wrap. The
//! reference (v0.5.0) stores what then comes out, so lanes in which that happens are computed again with wrapping
//! integers. Later revisions of the reference clamp before rounding and differ in those blocks.

use super::UNROLLED;
use crate::lanes::{GROUPS, Lanes, Mask};
use crate::round::{NEAREST_LIMIT, nearest_int};

/// The constants of one search.
pub(crate) struct Search {
    /// Largest level.
    pub(crate) top: i32,
    /// Offset of the first try from `top`.
    pub(crate) first: f32,
    /// Distance between tries.
    pub(crate) step: f32,
    /// Number of tries less one.
    pub(crate) steps: i32,
    /// Errors count by magnitude instead of squared.
    pub(crate) absolute: bool,
}

/// The answer for [`GROUPS`] groups.
pub(crate) struct Fit {
    /// Scale per group; 0 for a group without range.
    pub(crate) scale: [f32; GROUPS],
    /// The negated minimum per group.
    pub(crate) offset: [f32; GROUPS],
    /// Sum of the weights' weights per group.
    pub(crate) weight: [f32; GROUPS],
    /// Inverse scale and minimum of the try that gave the levels.
    inverse: [f32; GROUPS],
    base: [f32; GROUPS],
}

impl Fit {
    /// Room for an answer.
    pub(crate) const NONE: Fit = Fit {
        scale: [0.0; GROUPS],
        offset: [0.0; GROUPS],
        weight: [0.0; GROUPS],
        inverse: [0.0; GROUPS],
        base: [0.0; GROUPS],
    };

    /// The levels that the winning try gave to a group.
    pub(crate) fn levels<const N: usize>(&self, search: &Search, group: usize, x: &[f32; N]) -> [u8; N] {
        x.map(|v| nearest_int(self.inverse[group] * (v - self.base[group])).clamp(0, search.top) as u8)
    }
}

/// Fits groups of `N` weights.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes, const N: usize>(
    search: &Search,
    x: &[[f32; N]; GROUPS],
    weights: &[[f32; N]; GROUPS],
) -> Fit {
    let mut fit = Fit::NONE;
    for at in (0..GROUPS).step_by(V::COUNT) {
        let wrapped =
            fit_lanes::<V, N, false>(search, &V::columns(&x[at..]), &V::columns(&weights[at..]), at, &mut fit);
        if wrapped != 0 {
            redo_wrapped(search, x, weights, wrapped << at, &mut fit);
        }
    }
    fit
}

/// Repeats the groups of the set bits one by one with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn redo_wrapped<const N: usize>(
    search: &Search,
    x: &[[f32; N]; GROUPS],
    weights: &[[f32; N]; GROUPS],
    wrapped: u32,
    fit: &mut Fit,
) {
    for group in (0..GROUPS).filter(|group| wrapped >> group & 1 != 0) {
        fit_lanes::<f32, N, true>(search, &x[group], &weights[group], group, fit);
    }
}

/// Fits the groups in the lanes, the first of which has the number `at`. Returns the lanes in which a value may have
/// wrapped in rounding.
#[inline(always)]
fn fit_lanes<V: Lanes, const N: usize, const WRAPPING: bool>(
    search: &Search,
    x: &[V; N],
    weights: &[V; N],
    at: usize,
    fit: &mut Fit,
) -> u32 {
    const { assert!(N.is_multiple_of(UNROLLED)) };
    let (zero, top) = (V::splat(0.0), V::splat(search.top as f32));
    let (mut low, mut high) = (x[0], x[0]);
    let mut sum_w = weights[0];
    let mut sum_x = sum_w * x[0];
    for i in 1..N {
        low = x[i].min(low);
        high = x[i].max(high);
        sum_w = sum_w + weights[i];
        sum_x = sum_x + weights[i] * x[i];
    }
    let start = V::select(low.gt(zero), zero, low);
    let flat = high.eq(start);

    let mut minimum = start;
    let mut inverse = top / (high - minimum);
    let mut scale = V::splat(1.0) / inverse;
    let mut in_range = stays_in_range(inverse, minimum, low, high);
    let mut best = zero;
    for i in 0..N {
        let level = round_level::<V, WRAPPING>(inverse * (x[i] - minimum), top);
        best = best + weights[i] * error(search, scale * level + minimum - x[i]);
    }
    let (mut kept_inverse, mut kept_base) = (inverse, minimum);

    // Outside the loop: clearing it anew for every try was a fourteenth of the time of Q4_K.
    let mut levels = [zero; N];
    for k in 0..=search.steps {
        inverse = V::splat(search.first + search.step * k as f32 + search.top as f32) / (high - minimum);
        in_range = in_range.and(stays_in_range(inverse, minimum, low, high));
        let (mut sum_l, mut sum_ll, mut sum_lx) = (zero, zero, zero);
        for first in (0..N).step_by(UNROLLED) {
            for i in first..first + UNROLLED {
                let level = round_level::<V, WRAPPING>(inverse * (x[i] - minimum), top);
                levels[i] = level;
                let weighted = weights[i] * level;
                sum_l = sum_l + weighted;
                sum_ll = sum_ll + weighted * level;
                sum_lx = sum_lx + weighted * x[i];
            }
        }
        let determinant = sum_w * sum_ll - sum_l * sum_l;
        let solved_scale = (sum_w * sum_lx - sum_x * sum_l) / determinant;
        let solved_minimum = (sum_ll * sum_x - sum_l * sum_lx) / determinant;
        let positive = solved_minimum.gt(zero);
        let try_scale = V::select(positive, sum_lx / sum_ll, solved_scale);
        let try_minimum = V::select(positive, zero, solved_minimum);
        let mut current = zero;
        for first in (0..N).step_by(UNROLLED) {
            for i in first..first + UNROLLED {
                current = current + weights[i] * error(search, try_scale * levels[i] + try_minimum - x[i]);
            }
        }
        let better = determinant.gt(zero).and(best.gt(current));
        best = V::select(better, current, best);
        scale = V::select(better, try_scale, scale);
        kept_inverse = V::select(better, inverse, kept_inverse);
        kept_base = V::select(better, minimum, kept_base);
        minimum = V::select(better, try_minimum, minimum);
    }

    sum_w.store(&mut fit.weight[at..]);
    V::select(flat, zero, scale).store(&mut fit.scale[at..]);
    (V::splat(-0.0) - V::select(flat, start, minimum)).store(&mut fit.offset[at..]);
    V::select(flat, zero, kept_inverse).store(&mut fit.inverse[at..]);
    kept_base.store(&mut fit.base[at..]);
    flat.or(in_range).bits() ^ (u32::MAX >> (32 - V::COUNT))
}

/// Rounding is monotonic, so looking at the two ends of the group is enough. NaN counts as leaving.
#[inline(always)]
fn stays_in_range<V: Lanes>(inverse: V, minimum: V, low: V, high: V) -> V::Mask {
    let limit = V::splat(NEAREST_LIMIT);
    let below = (inverse * (low - minimum)).abs().le(limit);
    let above = (inverse * (high - minimum)).abs().le(limit);
    below.and(above)
}

#[inline(always)]
fn round_level<V: Lanes, const WRAPPING: bool>(v: V, top: V) -> V {
    let level = if WRAPPING { v.nearest_wrapping() } else { v.nearest() };
    level.max(V::splat(0.0)).min(top)
}

#[inline(always)]
fn error<V: Lanes>(search: &Search, difference: V) -> V {
    if search.absolute { difference.abs() } else { difference * difference }
}
