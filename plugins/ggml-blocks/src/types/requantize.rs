//! The last step of every K type: levels for the scale as it is stored, by division, not by a reciprocal.

use crate::lanes::{Lanes, Mask};
use crate::round::{NEAREST_LIMIT, nearest_int};

/// Levels `(x + add) / d`, rounded to even and clamped to `low..=high`, stored as level - `low`. `d` is not zero.
///
/// `N` is a multiple of all numbers of lanes. Here a lane is a weight, not a group.
#[inline(always)]
pub(crate) fn requantize<V: Lanes, const N: usize>(x: &[f32; N], add: f32, d: f32, low: i32, high: i32) -> [u8; N] {
    const { assert!(N.is_multiple_of(V::COUNT)) };
    // The bounds are whole numbers, so limiting before rounding gives what limiting after it gives.
    let (least, most) = (V::splat(low as f32), V::splat(high as f32));
    let limit = V::splat(NEAREST_LIMIT);
    let mut levels = [0; N];
    let mut in_range = limit.eq(limit);
    for at in (0..N).step_by(V::COUNT) {
        let value = (V::load(&x[at..]) + V::splat(add)) / V::splat(d);
        in_range = in_range.and(value.abs().le(limit));
        (value.max(least).min(most).nearest() - least).store_bytes(&mut levels[at..]);
    }
    if limit.eq(limit).without(in_range).any() {
        return wrapping(x, add, d, low, high);
    }
    levels
}

/// A scale that nearly vanished in half precision gives quotients that wrap in the reference.
#[cold]
#[inline(never)]
fn wrapping<const N: usize>(x: &[f32; N], add: f32, d: f32, low: i32, high: i32) -> [u8; N] {
    x.map(|v| (nearest_int((v + add) / d).clamp(low, high) - low) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_rounds_to_even_clamps_and_wraps() {
        assert_eq!(requantize::<f32, 5>(&[0.5, 1.5, 2.5, 99.0, -1.0], 0.0, 1.0, 0, 15), [0, 2, 2, 15, 0]);
        assert_eq!(requantize::<f32, 3>(&[-40.0, 31.5, 0.0], 0.0, 1.0, -32, 31), [0, 63, 32]);
        assert_eq!(requantize::<f32, 2>(&[4_194_304.0, 1.0], 0.0, 1.0, 0, 15), [0, 1]);
    }
}
