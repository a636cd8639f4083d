//! The last step of every K type: levels for the scale as it is stored, by division, not by a reciprocal.

use crate::round::{NEAREST_LIMIT, nearest_byte, nearest_int};

/// Levels `(x + add) / d`, rounded to even and clamped to `low..=high`, stored as level - `low`. `d` is not zero.
#[inline(always)]
pub(crate) fn requantize<const N: usize>(x: &[f32; N], add: f32, d: f32, low: i32, high: i32) -> [u8; N] {
    let mut values = [0.0; N];
    let mut in_range = u32::MAX;
    for i in 0..N {
        values[i] = (x[i] + add) / d;
        in_range &= if values[i].abs() <= NEAREST_LIMIT { u32::MAX } else { 0 };
    }
    if in_range == 0 {
        return wrapping(&values, low, high);
    }
    // The bounds are whole numbers, so limiting before rounding gives what limiting after it gives.
    let (least, most) = (low as f32, high as f32);
    let mut levels = [0; N];
    for i in 0..N {
        let level = if values[i] > least { values[i] } else { least };
        let level = if level < most { level } else { most };
        levels[i] = nearest_byte(level).wrapping_sub(low as u8);
    }
    levels
}

/// A scale that nearly vanished in half precision gives quotients that wrap in the reference.
#[cold]
#[inline(never)]
fn wrapping<const N: usize>(values: &[f32; N], low: i32, high: i32) -> [u8; N] {
    values.map(|v| (nearest_int(v).clamp(low, high) - low) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_rounds_to_even_clamps_and_wraps() {
        assert_eq!(requantize(&[0.5, 1.5, 2.5, 99.0, -1.0], 0.0, 1.0, 0, 15), [0, 2, 2, 15, 0]);
        assert_eq!(requantize(&[-40.0, 31.5, 0.0], 0.0, 1.0, -32, 31), [0, 63, 32]);
        assert_eq!(requantize(&[4_194_304.0, 1.0], 0.0, 1.0, 0, 15), [0, 1]);
    }
}
