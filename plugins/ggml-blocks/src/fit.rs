//! The reference's searches for the scale (and minimum) of a group of weights, one method per file.

pub(crate) mod affine;
pub(crate) mod descent;
pub(crate) mod lattice;
pub(crate) mod nonlinear;
pub(crate) mod positive;
pub(crate) mod symmetric;
pub(crate) mod ternary;

use crate::lanes::Lanes;

/// Importance of each weight times the root of its own and its neighbourhood's power: `q * sqrt(sigma2 + x * x)`.
#[inline(always)]
pub(crate) fn weigh<const N: usize>(x: &[f32; N], importance: &[f32; N], sigma2: f32) -> [f32; N] {
    let mut out = [0.0; N];
    for i in 0..N {
        out[i] = importance[i] * (sigma2 + x[i] * x[i]).sqrt();
    }
    out
}

/// Sum of squares from first to last.
pub(crate) fn power(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |sum, v| sum + v * v)
}

/// Sum of each lane from first to last.
#[inline(always)]
pub(crate) fn total<const N: usize, const L: usize>(rows: &[Lanes<L>; N]) -> Lanes<L> {
    rows.iter().fold(Lanes::ZERO, |sum, &row| sum + row)
}
