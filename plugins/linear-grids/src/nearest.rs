//! Rounding to the nearest code, for matrices whose inputs nobody saw.

use crate::{Method, Rounded, Steps};

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
