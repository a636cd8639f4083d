//! What TQ1_0 and TQ2_0 share: one scale per super-block and weights of -1, 0 or 1 times it.

use super::SUPER;
use super::f16::f32_to_f16;
use super::range::{inverse, magnitude};
use crate::round::round_to_byte;

/// The scale, which is the largest magnitude, in half precision; and one digit per weight: 0, 1 or 2 for -1, 0 or 1.
#[inline(always)]
pub(crate) fn digits(x: &[f32; SUPER]) -> ([u8; 2], [u8; SUPER]) {
    let d = magnitude(x);
    let id = inverse(d);
    // The minimum only matters for NaN, whose bits would otherwise end up in the digit.
    (f32_to_f16(d).to_le_bytes(), x.map(|v| round_to_byte(v * id).wrapping_add(1).min(2)))
}
