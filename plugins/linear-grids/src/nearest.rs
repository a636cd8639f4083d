//! Rounding to the nearest code of steps that just reach all weights: what everything else has to beat.

use crate::grid::nearest_code;
use crate::lanes::{LANES, widest};
use crate::{Grid, Method, Rounded, Steps};

/// Rounds rows of `columns` weights. Errors are left at zero: there is nothing to weigh them with.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn nearest(weights: &[f32], columns: usize, method: &Method) -> Rounded {
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows");
    let mut rounded = Rounded { codes: vec![0; weights.len()], steps: Vec::new(), error: 0.0, size: 0.0 };
    for (weights, codes) in weights.chunks(columns).zip(rounded.codes.chunks_mut(columns)) {
        for (weights, codes) in weights.chunks(method.group).zip(codes.chunks_mut(method.group)) {
            let steps: Steps = method.grid.reaching(weights);
            for (weight, code) in weights.iter().zip(codes) {
                *code = method.grid.code(*weight, steps) as u8;
            }
            rounded.steps.push(steps);
        }
    }
    rounded
}

/// What rounding to nearest changes about each weight, with the steps that just reach all weights of a group. The same values
/// as [`nearest`] gives, for judging without codes: many times faster.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn nearest_changes(weights: &[f32], columns: usize, method: &Method) -> Vec<f32> {
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows");
    let mut changes = vec![0.0; weights.len()];
    widest(
        #[inline(always)]
        || {
            for (weights, changes) in weights.chunks(columns).zip(changes.chunks_mut(columns)) {
                for (weights, changes) in weights.chunks(method.group).zip(changes.chunks_mut(method.group)) {
                    let (low, high) = extremes(weights);
                    change(weights, method.grid, method.grid.spanning(low, high), changes);
                }
            }
        },
    );
    changes
}

/// What the nearest codes stand for, less the weights.
#[inline(always)]
pub(crate) fn change(weights: &[f32], grid: Grid, steps: Steps, changes: &mut [f32]) {
    let (scale, zero, most) = (steps.scale, f32::from(steps.zero), grid.most());
    for (weight, change) in weights.iter().zip(changes) {
        *change = scale * (nearest_code(*weight, scale, zero, most) - zero) - weight;
    }
}

/// The smallest weight or 0, and the largest or 0.
#[inline(always)]
pub(crate) fn extremes(weights: &[f32]) -> (f32, f32) {
    let (mut lows, mut highs) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (lines, rest) = weights.as_chunks::<LANES>();
    for line in lines {
        for lane in 0..LANES {
            lows[lane] = lows[lane].min(line[lane]);
            highs[lane] = highs[lane].max(line[lane]);
        }
    }
    let low = lows.iter().chain(rest).fold(0.0f32, |low, weight| low.min(*weight));
    let high = highs.iter().chain(rest).fold(0.0f32, |high, weight| high.max(*weight));
    (low, high)
}
