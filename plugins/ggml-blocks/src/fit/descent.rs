//! Scale of a group around zero by coordinate descent: x ~ scale * level, level in -top..top, weights x * x.
//!
//! Starting from levels rounded with -top / max, up to five passes visit the weights in order. For each, the level that
//! is best against the scale of all the others, x * sum'(w l l) / sum'(w x l), replaces the present one if that makes
//! (sum w x l)^2 / sum(w l l) strictly larger. A pass without a change ends the search.

use super::symmetric::NOTHING;
use crate::lanes::{Lanes, Mask, single, transpose};
use crate::round::{NEAREST_LIMIT, nearest_int};

/// The answer for `L` groups of `N` weights.
pub(crate) struct Fit<const N: usize, const L: usize> {
    /// Scale per group; 0 for a group of zeros.
    pub(crate) scale: [f32; L],
    levels: [Lanes<L>; N],
    nothing: Mask<L>,
}

impl<const N: usize, const L: usize> Fit<N, L> {
    /// The levels found for the group in this lane, stored as level + `top`; a group of zeros is stored as 0.
    pub(crate) fn levels(&self, lane: usize, top: i32) -> [u8; N] {
        if self.nothing.0[lane] != 0 {
            return [0; N];
        }
        self.levels.map(|row| (row.0[lane] as i32 + top) as u8)
    }
}

/// Fits `L` consecutive groups of `N` weights.
#[inline(always)]
pub(crate) fn fit_groups<const N: usize, const L: usize, const T: usize>(top: i32, x: &[f32; T]) -> Fit<N, L> {
    let x = transpose::<N, L, T>(x);
    let (mut fit, wrapped) = fit_lanes::<N, L, false>(top, &x);
    if wrapped.any() {
        redo_wrapped(top, &x, wrapped, &mut fit);
    }
    fit
}

/// Repeats the marked lanes one by one with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn redo_wrapped<const N: usize, const L: usize>(top: i32, x: &[Lanes<L>; N], wrapped: Mask<L>, fit: &mut Fit<N, L>) {
    for lane in (0..L).filter(|&lane| wrapped.0[lane] != 0) {
        let (one, _) = fit_lanes::<N, 1, true>(top, &single(x, lane));
        fit.scale[lane] = one.scale[0];
        for (row, found) in fit.levels.iter_mut().zip(one.levels) {
            row.0[lane] = found.0[0];
        }
    }
}

#[inline(always)]
fn fit_lanes<const N: usize, const L: usize, const WRAPPING: bool>(
    top: i32,
    x: &[Lanes<L>; N],
) -> (Fit<N, L>, Mask<L>) {
    let (lowest, highest) = (Lanes::splat(-top as f32), Lanes::splat((top - 1) as f32));
    let clamp = |v: Lanes<L>| v.max(lowest).min(highest);
    let (mut largest, mut magnitude) = (Lanes::ZERO, Lanes::ZERO);
    for &x in x {
        let larger = x.abs().gt(magnitude);
        magnitude = larger.select(x.abs(), magnitude);
        largest = larger.select(x, largest);
    }
    let nothing = Lanes::splat(NOTHING).gt(magnitude);

    let inverse = lowest / largest;
    let mut levels = [Lanes::ZERO; N];
    let (mut sum_lx, mut sum_ll) = (Lanes::ZERO, Lanes::ZERO);
    for i in 0..N {
        let level = clamp((inverse * x[i]).nearest());
        let weight = x[i] * x[i];
        sum_lx = sum_lx + weight * x[i] * level;
        sum_ll = sum_ll + weight * level * level;
        levels[i] = level;
    }

    let mut wrapped = Mask::NONE;
    for _ in 0..5 {
        let mut changed = Mask::NONE;
        for i in 0..N {
            let weight = x[i] * x[i];
            let product = weight * x[i];
            let rest_lx = sum_lx - product * levels[i];
            let rest_ll = sum_ll - weight * levels[i] * levels[i];
            let candidate = x[i] * rest_ll / rest_lx;
            let mut open = rest_lx.gt(Lanes::ZERO);
            wrapped = wrapped.or(open.without(candidate.abs().le(Lanes::splat(NEAREST_LIMIT))));
            let level = clamp(round_level::<L, WRAPPING>(candidate));
            open = open.without(level.eq(levels[i]));
            let new_lx = rest_lx + product * level;
            let new_ll = rest_ll + weight * level * level;
            let gain = (new_lx * new_lx * sum_ll).gt(sum_lx * sum_lx * new_ll);
            let better = open.and(new_ll.gt(Lanes::ZERO)).and(gain);
            levels[i] = better.select(level, levels[i]);
            sum_lx = better.select(new_lx, sum_lx);
            sum_ll = better.select(new_ll, sum_ll);
            changed = changed.or(better);
        }
        if !changed.without(nothing).any() {
            break;
        }
    }
    let scale = sum_ll.gt(Lanes::ZERO).select(sum_lx / sum_ll, Lanes::ZERO);
    let fit = Fit { scale: nothing.select(Lanes::ZERO, scale).0, levels, nothing };
    (fit, wrapped.without(nothing))
}

#[inline(always)]
fn round_level<const L: usize, const WRAPPING: bool>(v: Lanes<L>) -> Lanes<L> {
    if WRAPPING { v.map(|v| nearest_int(v) as f32) } else { v.nearest() }
}
