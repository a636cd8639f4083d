//! F16: IEEE half precision, rounded to nearest even, with subnormals; also the form of every block's scale.

/// 2^-14, the smallest normal half, as the bits of a single.
const SMALLEST_NORMAL: u32 = 0x3880_0000;
/// 65536, the first power of two beyond the halves, as the bits of a single.
const BEYOND: u32 = 0x4780_0000;

/// Rounds to half precision: overflow gives infinity, every NaN becomes the quiet NaN 0x7e00 of its sign.
#[inline(always)]
pub fn f32_to_f16(v: f32) -> u16 {
    let sign = (v.to_bits() >> 16) & 0x8000;
    let bits = v.to_bits() & 0x7fff_ffff;
    // Adding 0.5 leaves the multiple of 2^-24 nearest to the value in the low mantissa bits.
    let subnormal = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let odd = (bits >> 13) & 1;
    let normal = bits.wrapping_sub(0x3800_0000).wrapping_add(0xfff + odd) >> 13;
    let finite = if bits < SMALLEST_NORMAL { subnormal } else { normal };
    let limited = if bits >= BEYOND { 0x7c00 } else { finite };
    (sign | if bits > 0x7f80_0000 { 0x7e00 } else { limited }) as u16
}

/// Widens a half exactly; a signalling NaN becomes quiet.
#[inline(always)]
pub fn f16_to_f32(half: u16) -> f32 {
    // As bits of a single the half's exponent is 112 too small, for normal and subnormal halves alike.
    const EXPONENT_GAP: f32 = f32::from_bits((127 + 112) << 23);
    let sign = u32::from(half & 0x8000) << 16;
    let bits = u32::from(half & 0x7fff);
    let finite = (f32::from_bits(bits << 13) * EXPONENT_GAP).to_bits();
    let quiet = u32::from(bits > 0x7c00) << 22;
    let beyond = if bits >= 0x7c00 { 0x7f80_0000 | quiet } else { 0 };
    f32::from_bits(sign | finite | beyond)
}

/// Stores one weight.
#[inline(always)]
pub(crate) fn encode([x]: &[f32; 1], out: &mut [u8; 2]) {
    *out = f32_to_f16(*x).to_le_bytes();
}

/// Loads one weight.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8; 2], [out]: &mut [f32; 1]) {
    *out = f16_to_f32(u16::from_le_bytes(*bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        for half in 0..=u16::MAX {
            let nan = half & 0x7fff > 0x7c00;
            let want = if nan { (half & 0x8000) | 0x7e00 } else { half };
            assert_eq!(f32_to_f16(f16_to_f32(half)), want, "{half:#06x}");
        }
    }

    #[test]
    fn ties_go_to_even_also_among_subnormals_and_at_the_top() {
        let tiny = 2f32.powi(-24);
        for (v, want) in [
            (tiny * 0.5, 0),
            (tiny * 0.500_001, 1),
            (tiny * 1.5, 2),
            (tiny * 1023.5, 0x0400),
            (1.0 + 2f32.powi(-11), 0x3c00),
            (1.0 + 3.0 * 2f32.powi(-11), 0x3c02),
            (65519.996, 0x7bff),
            (65520.0, 0x7c00),
            (f32::MAX, 0x7c00),
            (f32::NEG_INFINITY, 0xfc00),
            (-0.0, 0x8000),
            (f32::MIN_POSITIVE / 4.0, 0),
        ] {
            assert_eq!(f32_to_f16(v), want, "{v:e}");
        }
    }
}
