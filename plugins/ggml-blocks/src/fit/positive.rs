//! Scale of the scales: x ~ scale * level, level in 0..=top, for the sub-block scales and minimums of a super-block.
//!
//! The inverse scale of least weighted squared error among (top + k/10) / max, k = 0 first and then -4..=4, gives the
//! levels; up to five passes then improve single levels as in the descent of `descent.rs`. Levels are bytes in the
//! reference, so a negative one wraps to 255 - kept, because it decides bytes of odd blocks.

use super::symmetric::NOTHING;
use crate::round::nearest_int;

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
