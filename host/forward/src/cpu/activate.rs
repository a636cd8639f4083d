//! Activations of feed-forward blocks.
//!
//! Hendrycks and Gimpel, arXiv 1606.08415 (GELU); Shazeer, arXiv 2002.05202 (gated units).

use super::PIECE;
use crate::{Activation, Rows};
use rayon::prelude::*;

/// activation(gate) * up, or activation(up) without a gate.
pub(super) fn activate(activation: Activation, gate: Option<&Rows>, up: &Rows) -> Rows {
    let mut out = up.clone();
    let piece = PIECE * up.columns.max(1);
    match (gate, activation) {
        (Some(gate), Activation::ClampedSwish { alpha, limit }) => {
            out.values.par_chunks_mut(piece).zip(gate.values.par_chunks(piece)).for_each(|(up, gate)| {
                for (up, gate) in up.iter_mut().zip(gate) {
                    let gate = gate.min(limit);
                    *up = (up.clamp(-limit, limit) + 1.0) * gate * sigmoid(alpha * gate);
                }
            });
        }
        (Some(gate), _) => {
            out.values.par_chunks_mut(piece).zip(gate.values.par_chunks(piece)).for_each(|(up, gate)| {
                up.iter_mut().zip(gate).for_each(|(up, gate)| *up *= one(activation, *gate));
            });
        }
        (None, _) => out.values.par_chunks_mut(piece).for_each(|up| {
            up.iter_mut().for_each(|x| *x = one(activation, *x));
        }),
    }
    out
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[inline(always)]
fn one(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Silu => x * sigmoid(x),
        Activation::Gelu => 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            const ROOT: f32 = 0.797_884_6;
            0.5 * x * (1.0 + (ROOT * (x + 0.044_715 * x * x * x)).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::ReluSquared => x.max(0.0) * x.max(0.0),
        // Without a gate there is nothing to clamp against.
        Activation::ClampedSwish { alpha, .. } => x * sigmoid(alpha * x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (activation, expected) in [
            (Activation::Silu, 0.731_058_6),
            (Activation::Gelu, 0.841_344_7),
            (Activation::GeluTanh, 0.841_192),
            (Activation::Relu, 1.0),
        ] {
            assert!((one(activation, 1.0) - expected).abs() < 1e-6, "{activation:?}");
        }
        assert_eq!(one(Activation::ReluSquared, -3.0), 0.0);
        assert_eq!(one(Activation::ReluSquared, 3.0), 9.0);
    }

    #[test]
    fn a_clamped_gate_stays_within_its_limit() {
        let rows = |x: f32| Rows { values: vec![x], columns: 1 };
        let clamped = Activation::ClampedSwish { alpha: 1.702, limit: 7.0 };
        let at_limit = activate(clamped, Some(&rows(7.0)), &rows(7.0));
        assert_eq!(activate(clamped, Some(&rows(90.0)), &rows(90.0)), at_limit);
        assert!((at_limit.values[0] - 56.0).abs() < 1e-3);
    }
}
