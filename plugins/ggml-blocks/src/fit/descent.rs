//! Scale of a group around zero by coordinate descent: x ~ scale * level, level in -top..top, weights x * x.
//!
//! Starting from levels rounded with -top / max, up to five passes visit the weights in order. For each, the level that
//! is best against the scale of all the others, x * sum'(w l l) / sum'(w x l), replaces the present one if that makes
//! (sum w x l)^2 / sum(w l l) strictly larger. A pass without a change ends the search.

use super::symmetric::NOTHING;
use crate::lanes::{GROUPS, Lanes, Mask};
use crate::round::NEAREST_LIMIT;

/// The answer for [`GROUPS`] groups of `N` weights.
pub(crate) struct Fit<const N: usize> {
    /// Scale per group; 0 for a group of zeros.
    pub(crate) scale: [f32; GROUPS],
    /// Level of weight i of every group.
    levels: [[f32; GROUPS]; N],
    /// A bit per group of zeros.
    nothing: u32,
}

impl<const N: usize> Fit<N> {
    /// The levels found for a group, stored as level + `top`; a group of zeros is stored as 0.
    pub(crate) fn levels(&self, group: usize, top: i32) -> [u8; N] {
        if self.nothing >> group & 1 != 0 {
            return [0; N];
        }
        self.levels.map(|row| (row[group] as i32 + top) as u8)
    }
}

/// Fits groups of `N` weights.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes, const N: usize>(top: i32, x: &[[f32; N]; GROUPS]) -> Fit<N> {
    let mut fit = Fit { scale: [0.0; GROUPS], levels: [[0.0; GROUPS]; N], nothing: 0 };
    for at in (0..GROUPS).step_by(V::COUNT) {
        let wrapped = fit_lanes::<V, N, false>(top, &V::columns(&x[at..]), at, &mut fit);
        if wrapped != 0 {
            redo_wrapped(top, x, wrapped << at, &mut fit);
        }
    }
    fit
}

/// Repeats the groups of the set bits one by one with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn redo_wrapped<const N: usize>(top: i32, x: &[[f32; N]; GROUPS], wrapped: u32, fit: &mut Fit<N>) {
    for group in (0..GROUPS).filter(|group| wrapped >> group & 1 != 0) {
        fit_lanes::<f32, N, true>(top, &x[group], group, fit);
    }
}

/// Fits the groups in the lanes, the first of which has the number `at`. Returns the lanes in which a value may have
/// wrapped in rounding.
#[inline(always)]
fn fit_lanes<V: Lanes, const N: usize, const WRAPPING: bool>(top: i32, x: &[V; N], at: usize, fit: &mut Fit<N>) -> u32 {
    let zero = V::splat(0.0);
    let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
    let (mut largest, mut magnitude) = (zero, zero);
    for i in 0..N {
        let larger = x[i].abs().gt(magnitude);
        magnitude = V::select(larger, x[i].abs(), magnitude);
        largest = V::select(larger, x[i], largest);
    }
    let nothing = V::splat(NOTHING).gt(magnitude);

    let inverse = lowest / largest;
    let mut levels = [zero; N];
    let (mut sum_lx, mut sum_ll) = (zero, zero);
    for i in 0..N {
        let level = (inverse * x[i]).nearest().max(lowest).min(highest);
        let weight = x[i] * x[i];
        sum_lx = sum_lx + weight * x[i] * level;
        sum_ll = sum_ll + weight * level * level;
        levels[i] = level;
    }

    let mut in_range = zero.eq(zero);
    for _ in 0..5 {
        let mut changed = zero.gt(zero);
        for i in 0..N {
            let weight = x[i] * x[i];
            let product = weight * x[i];
            let rest_lx = sum_lx - product * levels[i];
            let rest_ll = sum_ll - weight * levels[i] * levels[i];
            let candidate = x[i] * rest_ll / rest_lx;
            let open = rest_lx.gt(zero);
            in_range = in_range.without(open.without(candidate.abs().le(V::splat(NEAREST_LIMIT))));
            let level = if WRAPPING { candidate.nearest_wrapping() } else { candidate.nearest() };
            let level = level.max(lowest).min(highest);
            let new_lx = rest_lx + product * level;
            let new_ll = rest_ll + weight * level * level;
            let gain = (new_lx * new_lx * sum_ll).gt(sum_lx * sum_lx * new_ll);
            let better = open.without(level.eq(levels[i])).and(new_ll.gt(zero)).and(gain);
            levels[i] = V::select(better, level, levels[i]);
            sum_lx = V::select(better, new_lx, sum_lx);
            sum_ll = V::select(better, new_ll, sum_ll);
            changed = changed.or(better);
        }
        if !changed.without(nothing).any() {
            break;
        }
    }
    let scale = V::select(sum_ll.gt(zero), sum_lx / sum_ll, zero);
    V::select(nothing, zero, scale).store(&mut fit.scale[at..]);
    for i in 0..N {
        levels[i].store(&mut fit.levels[i][at..]);
    }
    fit.nothing |= nothing.bits() << at;
    nothing.or(in_range).bits() ^ (u32::MAX >> (32 - V::COUNT))
}
