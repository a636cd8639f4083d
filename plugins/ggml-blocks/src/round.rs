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

/// Low byte of the float truncated to a 32-bit integer; NaN and what does not fit give 0, as `cvttss2si` does.
#[inline(always)]
pub(crate) fn truncate_to_byte(v: f32) -> u8 {
    let fits = v.abs() < 2_147_483_648.0;
    (if fits { v } else { 0.0 }) as i32 as u8
}

/// Low byte of the float rounded half away from zero, for |v| < 2^23; NaN and infinity give 0.
#[inline(always)]
pub(crate) fn round_to_byte(v: f32) -> u8 {
    let v = if v.abs() < 8_388_608.0 { v } else { 0.0 };
    let whole = v as i32;
    let rest = v - whole as f32;
    (whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)) as u8
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
        assert_eq!([0.99, 15.999, -0.5, -1.5].map(truncate_to_byte), [0, 15, 0, 255]);
        assert_eq!([f32::NAN, f32::INFINITY, -3e9].map(truncate_to_byte), [0, 0, 0]);
        for v in [0.5f32, 0.499_999_97, -0.5, 1.5, -126.5, 126.500_01, 0.0] {
            assert_eq!(round_to_byte(v), v.round() as i32 as u8, "{v}");
        }
        assert_eq!([f32::NAN, f32::INFINITY].map(round_to_byte), [0, 0]);
    }
}
