//! What rounding with error feedback costs at the output: by doing it, and as expected beforehand.
//!
//! Feedback turns tr(dW H dW^T) into a sum of e_i^2, e_i = (w_i - q_i) / U_ii, each w_i - q_i no larger than half a step wherever
//! the columns before have moved w_i. So with steps of width d the sum is d^2 / 12 times the sum of 1 / U_ii^2 to expect: nothing
//! but the range of a group's weights has to be known, and no product with a Gram matrix is taken.

use crate::lanes::widest;
use crate::nearest::extremes;
use crate::round::Panel;
use crate::{Factor, Method};

/// tr(dW H dW^T) of rows rounded with feedback, H the damped Gram matrix of the factor. `None` if it was stopped.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn cost(weights: &[f32], factor: &Factor, method: &Method, stop: &dyn Fn() -> bool) -> Option<f64> {
    let columns = factor.columns();
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
    Panel::chunks(weights, columns).try_fold(0.0, |sum, weights| {
        let mut panel = Panel::of(weights, factor, method);
        panel.round(factor, method, stop)?;
        Some(sum + panel.squares())
    })
}

/// What [`cost`] is to be expected, with steps that just reach all weights of a group; `costs` are those of the factor, see
/// [`Factor::costs`]. Groups are runs of columns as they stand.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn expected_cost(weights: &[f32], costs: &[f32], method: &Method) -> f64 {
    let columns = costs.len();
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
    let of_groups: Vec<f64> =
        costs.chunks(method.group).map(|costs| costs.iter().map(|cost| f64::from(*cost)).sum()).collect();
    let mut sum = 0.0;
    for row in weights.chunks(columns) {
        let mut ranges = vec![(0.0, 0.0); of_groups.len()];
        widest(
            #[inline(always)]
            || {
                for (weights, range) in row.chunks(method.group).zip(&mut ranges) {
                    *range = extremes(weights);
                }
            },
        );
        for ((low, high), costs) in ranges.into_iter().zip(&of_groups) {
            sum += f64::from(method.grid.spanning(low, high).scale).powi(2) * costs;
        }
    }
    sum / 12.0
}
