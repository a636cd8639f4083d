//! Activations of feed-forward blocks.
//!
//! Hendrycks and Gimpel, arXiv 1606.08415 (GELU); Shazeer, arXiv 2002.05202 (gated units).

use super::PIECE;
use super::exponential::{sigmoid, tanh};
use super::lanes::widest;
use crate::{Activation, Rows};
use rayon::prelude::*;

/// Makes `up` activation(gate) * up, or activation(up) without a gate.
pub(super) fn activate(activation: Activation, gate: Option<&Rows>, up: &mut Rows) {
    let piece = PIECE * up.columns.max(1);
    let pieces = up.values.par_chunks_mut(piece);
    match gate {
        Some(gate) => {
            pieces.zip(gate.values.par_chunks(piece)).for_each(|(up, gate)| activate_rows(activation, gate, up));
        }
        None => pieces.for_each(|up| {
            widest(
                #[inline(always)]
                || match activation {
                    Activation::Silu => each(up, |x| one(Activation::Silu, x)),
                    Activation::Gelu => each(up, |x| one(Activation::Gelu, x)),
                    Activation::GeluTanh => each(up, |x| one(Activation::GeluTanh, x)),
                    other => each(up, |x| one(other, x)),
                },
            );
        }),
    }
}

/// The same of some gated numbers in the calling thread.
pub(super) fn activate_rows(activation: Activation, gate: &[f32], up: &mut [f32]) {
    widest(
        #[inline(always)]
        || gated(activation, gate, up),
    );
}

/// A loop for each kind, because a choice within it would keep the compiler from vectorising.
#[inline(always)]
fn gated(activation: Activation, gate: &[f32], up: &mut [f32]) {
    match activation {
        Activation::ClampedSwish { alpha, limit } => pairs(gate, up, |gate, up| {
            let gate = gate.min(limit);
            (up.clamp(-limit, limit) + 1.0) * gate * sigmoid(alpha * gate)
        }),
        Activation::Silu => pairs(gate, up, |gate, up| up * one(Activation::Silu, gate)),
        Activation::Gelu => pairs(gate, up, |gate, up| up * one(Activation::Gelu, gate)),
        Activation::GeluTanh => pairs(gate, up, |gate, up| up * one(Activation::GeluTanh, gate)),
        other => pairs(gate, up, |gate, up| up * one(other, gate)),
    }
}

#[inline(always)]
fn each(values: &mut [f32], of: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|x| *x = of(*x));
}

#[inline(always)]
fn pairs(gate: &[f32], up: &mut [f32], of: impl Fn(f32, f32) -> f32) {
    up.iter_mut().zip(gate).for_each(|(up, gate)| *up = of(*gate, *up));
}

#[inline(always)]
fn one(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Silu => x * sigmoid(x),
        Activation::Gelu => 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            const ROOT: f32 = 0.797_884_6;
            0.5 * x * (1.0 + tanh(ROOT * (x + 0.044_715 * x * x * x)))
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
        let of = |x: f32| {
            let mut up = rows(x);
            activate(clamped, Some(&rows(x)), &mut up);
            up.values[0]
        };
        assert_eq!(of(90.0), of(7.0));
        assert!((of(7.0) - 56.0).abs() < 1e-3);
    }
}
