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

use crate::lanes::{Lanes, Mask, single, transpose};
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

/// The answer for `L` groups.
#[derive(Clone, Copy)]
pub(crate) struct Fit<const L: usize> {
    /// Scale per group; 0 for a group without range.
    pub(crate) scale: [f32; L],
    /// The negated minimum per group.
    pub(crate) offset: [f32; L],
    /// Inverse scale and minimum of the try that gave the levels.
    inverse: [f32; L],
    base: [f32; L],
    /// Lanes where a value may have wrapped in rounding.
    wrapped: Mask<L>,
}

impl<const L: usize> Fit<L> {
    /// The levels that the winning try gave to the group in this lane.
    pub(crate) fn levels<const N: usize>(&self, search: &Search, lane: usize, x: &[f32; N]) -> [u8; N] {
        x.map(|v| nearest_int(self.inverse[lane] * (v - self.base[lane])).clamp(0, search.top) as u8)
    }
}

/// Fits `L` consecutive groups of `N` weights.
#[inline(always)]
pub(crate) fn fit_groups<const N: usize, const L: usize, const T: usize>(
    search: &Search,
    x: &[f32; T],
    weights: &[f32; T],
) -> Fit<L> {
    let (x, weights) = (transpose::<N, L, T>(x), transpose::<N, L, T>(weights));
    let mut fit = fit_lanes::<N, L, false>(search, &x, &weights);
    if fit.wrapped.any() {
        redo_wrapped(search, &x, &weights, &mut fit);
    }
    fit
}

/// Repeats the marked lanes one by one with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn redo_wrapped<const N: usize, const L: usize>(
    search: &Search,
    x: &[Lanes<L>; N],
    weights: &[Lanes<L>; N],
    fit: &mut Fit<L>,
) {
    for lane in (0..L).filter(|&lane| fit.wrapped.0[lane] != 0) {
        let one = fit_lanes::<N, 1, true>(search, &single(x, lane), &single(weights, lane));
        fit.scale[lane] = one.scale[0];
        fit.offset[lane] = one.offset[0];
        fit.inverse[lane] = one.inverse[0];
        fit.base[lane] = one.base[0];
    }
}

#[inline(always)]
fn fit_lanes<const N: usize, const L: usize, const WRAPPING: bool>(
    search: &Search,
    x: &[Lanes<L>; N],
    weights: &[Lanes<L>; N],
) -> Fit<L> {
    let top = Lanes::splat(search.top as f32);
    let (mut low, mut high) = (x[0], x[0]);
    let mut sum_w = weights[0];
    let mut sum_x = sum_w * x[0];
    for i in 1..N {
        low = x[i].min(low);
        high = x[i].max(high);
        sum_w = sum_w + weights[i];
        sum_x = sum_x + weights[i] * x[i];
    }
    let start = low.gt(Lanes::ZERO).select(Lanes::ZERO, low);
    let flat = high.eq(start);

    let mut minimum = start;
    let mut inverse = top / (high - minimum);
    let mut scale = Lanes::splat(1.0) / inverse;
    let mut wrapped = leaves_range(inverse, minimum, low, high);
    let mut best = Lanes::ZERO;
    for i in 0..N {
        let level = round_level::<L, WRAPPING>(inverse * (x[i] - minimum), top);
        best = best + weights[i] * error(search, scale * level + minimum - x[i]);
    }
    let (mut kept_inverse, mut kept_base) = (inverse, minimum);

    for k in 0..=search.steps {
        inverse = Lanes::splat(search.first + search.step * k as f32 + search.top as f32) / (high - minimum);
        wrapped = wrapped.or(leaves_range(inverse, minimum, low, high));
        let mut levels = [Lanes::ZERO; N];
        let (mut sum_l, mut sum_ll, mut sum_lx) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        for i in 0..N {
            let level = round_level::<L, WRAPPING>(inverse * (x[i] - minimum), top);
            levels[i] = level;
            let weighted = weights[i] * level;
            sum_l = sum_l + weighted;
            sum_ll = sum_ll + weighted * level;
            sum_lx = sum_lx + weighted * x[i];
        }
        let determinant = sum_w * sum_ll - sum_l * sum_l;
        let solved_scale = (sum_w * sum_lx - sum_x * sum_l) / determinant;
        let solved_minimum = (sum_ll * sum_x - sum_l * sum_lx) / determinant;
        let positive = solved_minimum.gt(Lanes::ZERO);
        let try_scale = positive.select(sum_lx / sum_ll, solved_scale);
        let try_minimum = positive.select(Lanes::ZERO, solved_minimum);
        let mut current = Lanes::ZERO;
        for i in 0..N {
            current = current + weights[i] * error(search, try_scale * levels[i] + try_minimum - x[i]);
        }
        let better = determinant.gt(Lanes::ZERO).and(best.gt(current));
        best = better.select(current, best);
        scale = better.select(try_scale, scale);
        kept_inverse = better.select(inverse, kept_inverse);
        kept_base = better.select(minimum, kept_base);
        minimum = better.select(try_minimum, minimum);
    }

    Fit {
        scale: flat.select(Lanes::ZERO, scale).0,
        offset: flat.select(start, minimum).map(|v| -v).0,
        inverse: flat.select(Lanes::ZERO, kept_inverse).0,
        base: kept_base.0,
        wrapped: wrapped.without(flat),
    }
}

/// Rounding is monotonic, so looking at the two ends of the group is enough. NaN counts as leaving.
#[inline(always)]
fn leaves_range<const L: usize>(inverse: Lanes<L>, minimum: Lanes<L>, low: Lanes<L>, high: Lanes<L>) -> Mask<L> {
    let limit = Lanes::splat(NEAREST_LIMIT);
    let below = (inverse * (low - minimum)).abs().le(limit);
    let above = (inverse * (high - minimum)).abs().le(limit);
    Mask::ALL.without(below.and(above))
}

#[inline(always)]
fn round_level<const L: usize, const WRAPPING: bool>(v: Lanes<L>, top: Lanes<L>) -> Lanes<L> {
    if WRAPPING { v.map(|v| nearest_int(v).max(0) as f32).min(top) } else { v.nearest().max(Lanes::ZERO).min(top) }
}

#[inline(always)]
fn error<const L: usize>(search: &Search, difference: Lanes<L>) -> Lanes<L> {
    if search.absolute { difference.abs() } else { difference * difference }
}
