//! The last step of every K type: levels for the scale as it is stored, by division, not by a reciprocal.

use crate::round::{NEAREST_LIMIT, nearest, nearest_int};

/// Levels `(x + add) / d`, rounded to even and clamped to `low..=high`, stored as level - `low`. `d` is not zero.
#[inline(always)]
pub(crate) fn requantize<const N: usize>(x: &[f32; N], add: f32, d: f32, low: i32, high: i32) -> [u8; N] {
    let values = x.map(|v| (v + add) / d);
    let in_range = values.iter().fold(true, |all, v| all & (v.abs() <= NEAREST_LIMIT));
    if !in_range {
        return wrapping(&values, low, high);
    }
    let (least, most) = (low as f32, high as f32);
    values.map(|v| {
        let level = nearest(v);
        let level = if level > least { level } else { least };
        (if level < most { level } else { most } - least) as i32 as u8
    })
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
