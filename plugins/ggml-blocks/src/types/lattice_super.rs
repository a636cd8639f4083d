//! What the IQ2 and IQ3 types share: weights under importance, signs taken off, 4-bit group scales that are odd numbers.

use super::SUPER;
use crate::fit::{power, weigh};
use crate::round::nearest_int;

/// Importance times the root of the weight's own and its super-block's power, the latter `factor` times the mean square.
#[inline(always)]
pub(crate) fn weights(x: &[f32; SUPER], importance: &[f32; SUPER], factor: f32) -> [f32; SUPER] {
    weigh(x, importance, factor * power(x) / SUPER as f32)
}

/// The largest of a group; NaN is passed over unless it comes first.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    x[1..].iter().fold(x[0], |largest, &v| if largest > v { largest } else { v })
}

/// The scale of the scales, which makes the largest one 31 = 2 * 15 + 1, and all scales in its units.
#[inline(always)]
pub(crate) fn odd_codes<const N: usize>(scales: &[f32; N], top: i32) -> Option<(f32, [u8; N])> {
    let max = scales.iter().fold(0.0f32, |max, &v| if max > v { max } else { v });
    if max == 0.0 {
        return None;
    }
    let d = max / (2 * top + 1) as f32;
    let inverse = 1.0 / d;
    Some((d, scales.map(|v| nearest_int(0.5 * (inverse * v - 1.0)).clamp(0, top) as u8)))
}

/// Two codes per byte, the even one in the low half.
#[inline(always)]
pub(crate) fn pack_codes(codes: &[u8], out: &mut [u8]) {
    for (out, pair) in out.iter_mut().zip(codes.as_chunks::<2>().0) {
        *out = pair[0] | pair[1] << 4;
    }
}

/// The magnitudes 8, 25 and 43 of the IQ2 types' coordinates.
pub(crate) const IQ2_VALUES: [f32; 4] = [8.0, 25.0, 43.0, 0.0];
