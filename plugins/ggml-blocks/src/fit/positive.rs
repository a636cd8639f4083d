//! Scale of the scales: x ~ scale * level, level in 0..=top, for the sub-block scales and minimums of a super-block.
//!
//! The inverse scale of least weighted squared error among (top + k/10) / max, k = 0 first and then -4..=4, gives the
//! levels; up to five passes then improve single levels as in the descent of `descent.rs`. Levels are bytes in the
//! reference, so a negative one wraps to 255 - kept, because it decides bytes of odd blocks.

use super::descent::moved;
use super::symmetric::NOTHING;
use crate::lanes::{GROUPS, Lanes, Mask};
use crate::round::nearest_int;

/// The answer for [`GROUPS`] groups of values.
pub(crate) struct Fit<const N: usize> {
    /// Scale per group.
    pub(crate) scale: [f32; GROUPS],
    /// Levels per group.
    pub(crate) levels: [[u8; N]; GROUPS],
}

/// Fits groups side by side. Groups with a level so negative that its byte would wrap twice, and those in which rounding
/// may have wrapped, are fitted once more on their own.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes, const N: usize>(
    top: i32,
    x: &[[f32; N]; GROUPS],
    weights: &[[f32; N]; GROUPS],
) -> Fit<N> {
    let mut fit = Fit { scale: [0.0; GROUPS], levels: [[0; N]; GROUPS] };
    for at in (0..GROUPS).step_by(V::COUNT) {
        let odd = fit_lanes::<V, N>(top, &V::columns(&x[at..]), &V::columns(&weights[at..]), at, &mut fit);
        for group in (at..GROUPS).filter(|group| odd << at >> group & 1 != 0) {
            (fit.scale[group], fit.levels[group]) = self::fit(top, &x[group], &weights[group]);
        }
    }
    fit
}

/// As `fit`, in lanes. Returns those that must be done again.
#[inline(always)]
fn fit_lanes<V: Lanes, const N: usize>(top: i32, x: &[V; N], weights: &[V; N], at: usize, fit: &mut Fit<N>) -> u32 {
    let (zero, limit) = (V::splat(0.0), V::splat(LIMIT));
    let (mut max, mut min) = (zero, zero);
    for i in 0..N {
        max = max.max(x[i]);
        min = min.min(x[i]);
    }
    let nothing = V::splat(NOTHING).gt(max);
    let most = V::splat(top as f32);

    let mut inverse = most / max;
    // No try has an inverse scale that is larger by more than a level.
    let mut sound = (((most + V::splat(1.0)) / max) * min).abs().le(limit);
    // Only this first try stores its levels as bytes before it measures them.
    let mut best = error_in_lanes::<V, N, true>(most, inverse, x, weights);
    for k in -4..=4 {
        if k == 0 {
            continue;
        }
        let candidate = V::splat(0.1 * k as f32 + top as f32) / max;
        let error = error_in_lanes::<V, N, false>(most, candidate, x, weights);
        let better = best.gt(error);
        best = V::select(better, error, best);
        inverse = V::select(better, candidate, inverse);
    }

    let mut levels = [zero; N];
    let (mut sum_lx, mut sum_ll) = (zero, zero);
    for i in 0..N {
        let level = (inverse * x[i]).nearest().min(most);
        sum_lx = sum_lx + weights[i] * x[i] * level;
        sum_ll = sum_ll + weights[i] * level * level;
        levels[i] = as_byte(level);
    }
    for _ in 0..5 {
        let mut changed = zero.gt(zero);
        for i in 0..N {
            let (weight, present) = (weights[i], levels[i]);
            let rest_lx = sum_lx - weight * x[i] * present;
            let rest_ll = sum_ll - weight * present * present;
            let open = rest_lx.gt(zero).and(rest_ll.gt(zero));
            let candidate = x[i] * rest_ll / rest_lx;
            sound = sound.without(open.without(candidate.abs().le(limit)));
            let level = candidate.nearest().min(most);
            let new_lx = rest_lx + weight * x[i] * level;
            let new_ll = rest_ll + weight * level * level;
            let gain = (new_lx * new_lx * sum_ll).gt(sum_lx * sum_lx * new_ll);
            let better = open.without(level.eq(present)).and(gain);
            levels[i] = moved(better, as_byte(level), present);
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
        let mut row = [0.0; GROUPS];
        V::select(nothing, zero, levels[i]).store(&mut row);
        for lane in 0..V::COUNT {
            fit.levels[at + lane][i] = row[lane] as u8;
        }
    }
    // A group without any value of size has its answer already.
    zero.eq(zero).without(sound).without(nothing).bits()
}

/// Candidates below this magnitude have levels that a byte wraps once.
const LIMIT: f32 = 255.0;

/// A level as it reads after it was stored as a byte.
#[inline(always)]
fn as_byte<V: Lanes>(level: V) -> V {
    V::select(V::splat(0.0).gt(level), level + V::splat(256.0), level)
}

#[inline(always)]
fn error_in_lanes<V: Lanes, const N: usize, const BYTES: bool>(most: V, inverse: V, x: &[V; N], weights: &[V; N]) -> V {
    let scale = V::splat(1.0) / inverse;
    let mut sum = V::splat(0.0);
    for i in 0..N {
        let level = (inverse * x[i]).nearest().min(most);
        let level = if BYTES { as_byte(level) } else { level };
        let difference = x[i] - scale * level;
        sum = sum + weights[i] * difference * difference;
    }
    sum
}

/// Returns the scale of `x` under `weights` and its levels; all zero if no value reaches 1e-15.
pub(crate) fn fit<const N: usize>(top: i32, x: &[f32; N], weights: &[f32; N]) -> (f32, [u8; N]) {
    let max = x.iter().fold(0.0, |max, &v| if max > v { max } else { v });
    if max < NOTHING {
        return (0.0, [0; N]);
    }
    let inverse = best_inverse(top, max, x, weights);

    let mut levels = [0u8; N];
    let (mut sum_lx, mut sum_ll) = (0.0, 0.0);
    for i in 0..N {
        let level = nearest_int(inverse * x[i]).min(top);
        levels[i] = level as u8;
        sum_lx += weights[i] * x[i] * level as f32;
        sum_ll += weights[i] * level as f32 * level as f32;
    }
    for _ in 0..5 {
        let mut changed = false;
        for i in 0..N {
            let (weight, present) = (weights[i], f32::from(levels[i]));
            let mut new_lx = sum_lx - weight * x[i] * present;
            let mut new_ll = sum_ll - weight * present * present;
            if !(new_lx > 0.0 && new_ll > 0.0) {
                continue;
            }
            let level = nearest_int(x[i] * new_ll / new_lx).min(top);
            if level == i32::from(levels[i]) {
                continue;
            }
            new_lx += weight * x[i] * level as f32;
            new_ll += weight * level as f32 * level as f32;
            if new_lx * new_lx * sum_ll > sum_lx * sum_lx * new_ll {
                levels[i] = level as u8;
                (sum_lx, sum_ll) = (new_lx, new_ll);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    (if sum_ll > 0.0 { sum_lx / sum_ll } else { 0.0 }, levels)
}

fn best_inverse<const N: usize>(top: i32, max: f32, x: &[f32; N], weights: &[f32; N]) -> f32 {
    let mut best_inverse = top as f32 / max;
    // Only this first try stores its levels as bytes before it measures them, and does not clamp them.
    let mut best = weighted_error(1.0 / best_inverse, x, weights, |v| f32::from(nearest_int(best_inverse * v) as u8));
    for k in (-4..=4).filter(|&k| k != 0) {
        let inverse = (0.1 * k as f32 + top as f32) / max;
        let error = weighted_error(1.0 / inverse, x, weights, |v| nearest_int(inverse * v).min(top) as f32);
        if error < best {
            (best, best_inverse) = (error, inverse);
        }
    }
    best_inverse
}

#[inline(always)]
fn weighted_error<const N: usize>(scale: f32, x: &[f32; N], weights: &[f32; N], level: impl Fn(f32) -> f32) -> f32 {
    let mut sum = 0.0;
    for i in 0..N {
        let difference = x[i] - scale * level(x[i]);
        sum += weights[i] * difference * difference;
    }
    sum
}
