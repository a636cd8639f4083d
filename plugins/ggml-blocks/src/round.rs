//! The reference's conversions from float to integer, with the results of an x86-64 processor in every case.

/// Adding 1.5 * 2^23 leaves the nearest integer (ties to even) in the low mantissa bits.
const MAGIC: f32 = 12_582_912.0;

/// Largest magnitude that [`nearest_int`] rounds truly; beyond it the result wraps.
pub(crate) const NEAREST_LIMIT: f32 = 4_194_303.0;

/// Nearest integer, ties to even; outside `NEAREST_LIMIT`, and for NaN, the wrapped value that the reference computes.
#[inline(always)]
pub(crate) fn nearest_int(v: f32) -> i32 {
    ((v + MAGIC).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

/// The same as a float, without the detour through integers; only meaningful up to `NEAREST_LIMIT`. Never gives -0.
#[inline(always)]
pub(crate) fn nearest(v: f32) -> f32 {
    (v + MAGIC) - MAGIC
}

/// Low byte of the float rounded down, for |v| < 2^22; infinity and the NaN of an invalid operation give 0.
///
/// The reference truncates values that are never negative, through a 32-bit integer whose low byte is 0 where the
/// value does not fit: the same bytes.
#[inline(always)]
pub(crate) fn floor_to_byte(v: f32) -> u8 {
    let sum = v + MAGIC;
    (sum.to_bits() as u8).wrapping_sub(u8::from(sum - MAGIC > v))
}

/// Low byte of the float rounded half away from zero, for |v| < 2^22; infinity and the NaN of an invalid operation
/// give 0.
#[inline(always)]
pub(crate) fn round_to_byte(v: f32) -> u8 {
    let sum = v + MAGIC;
    let rest = v - (sum - MAGIC);
    // Ties went to even: those that went towards zero are moved away from it.
    let up = u8::from((rest == 0.5) & (v > 0.0));
    let down = u8::from((rest == -0.5) & (v < 0.0));
    (sum.to_bits() as u8).wrapping_add(up).wrapping_sub(down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rounds_ties_to_even_and_wraps_beyond_the_limit() {
        for (v, want) in [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (4_194_303.0, 4_194_303)] {
            assert_eq!(nearest_int(v), want);
            assert_eq!(nearest(v), want as f32);
        }
        assert_eq!(nearest(-0.25).to_bits(), 0);
        assert_eq!(nearest_int(4_194_304.0), -4_194_304);
    }

    #[test]
    fn bytes_follow_the_processor() {
        for v in [0.0f32, 0.499_999_97, 0.5, 0.999_999_94, 7.5, 15.999_999, 16.499_998, 255.99] {
            assert_eq!(floor_to_byte(v), v as u8, "{v}");
        }
        for v in [0.0f32, 0.5, 0.499_999_97, -0.5, 1.5, -1.5, 2.5, -2.5, -126.5, 126.500_01, 127.0, -127.0] {
            assert_eq!(round_to_byte(v), v.round() as i32 as u8, "{v}");
        }
        for v in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert_eq!((floor_to_byte(v), round_to_byte(v)), (0, 0));
        }
    }
}
