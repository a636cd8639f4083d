//! Rounding to the nearest codes of steps that fit the weights, for matrices whose inputs nobody saw.
//!
//! Steps that just reach all weights are seldom those with the least squared error: at 4 bits cutting a little off the ends of a
//! group of 128 gains more than it costs. The steps that are tried are those of [`crate::range`].

use crate::lanes::{LANES, Line, ZERO};
use crate::{Method, Rounded, Steps, range};

/// Rounds rows of `columns` weights. Errors are left at zero: there is nothing to weigh them with. With less than two candidates
/// the steps are those that just reach all weights.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn fitted(weights: &[f32], columns: usize, method: &Method) -> Rounded {
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows");
    let groups = method.groups(columns);
    let empty = Steps { scale: 1.0, zero: 0 };
    let steps = vec![empty; weights.len() / columns * groups];
    let mut rounded = Rounded { codes: vec![0; weights.len()], steps, error: 0.0, size: 0.0 };
    let parts = weights.chunks(LANES * columns).zip(rounded.codes.chunks_mut(LANES * columns));
    for ((weights, codes), steps) in parts.zip(rounded.steps.chunks_mut(LANES * groups)) {
        for group in 0..groups {
            let places = group * method.group..columns.min((group + 1) * method.group);
            let mut lines: Vec<Line> = vec![ZERO; places.len()];
            for (lane, row) in weights.chunks(columns).enumerate() {
                lines.iter_mut().zip(&row[places.clone()]).for_each(|(line, weight)| line[lane] = *weight);
            }
            let chosen = range::fitting(&lines, method);
            let rows = weights.chunks(columns).zip(codes.chunks_mut(columns)).zip(steps.chunks_mut(groups));
            for (((row, codes), steps), chosen) in rows.zip(chosen) {
                steps[group] = chosen;
                for (weight, code) in row[places.clone()].iter().zip(&mut codes[places.clone()]) {
                    *code = method.grid.code(*weight, chosen) as u8;
                }
            }
        }
    }
    rounded
}
