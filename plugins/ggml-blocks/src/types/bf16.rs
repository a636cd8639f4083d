//! BF16: the upper half of a single, rounded to nearest even.

/// Rounds to bfloat16; a NaN keeps its sign and upper payload and becomes quiet.
#[inline(always)]
pub fn f32_to_bf16(v: f32) -> u16 {
    let bits = v.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x0040;
    (if bits & 0x7fff_ffff > 0x7f80_0000 { quiet } else { rounded }) as u16
}

/// Widens a bfloat16 exactly, NaN payloads included.
#[inline(always)]
pub fn bf16_to_f32(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// Stores one weight.
#[inline(always)]
pub(crate) fn encode([x]: &[f32; 1], out: &mut [u8; 2]) {
    *out = f32_to_bf16(*x).to_le_bytes();
}

/// Loads one weight.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8; 2], [out]: &mut [f32; 1]) {
    *out = bf16_to_f32(u16::from_le_bytes(*bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_even_and_keeps_nan() {
        assert_eq!(f32_to_bf16(f32::from_bits(0x3f80_8000)), 0x3f80);
        assert_eq!(f32_to_bf16(f32::from_bits(0x3f81_8000)), 0x3f82);
        assert_eq!(f32_to_bf16(f32::from_bits(0x3f80_8001)), 0x3f81);
        assert_eq!(f32_to_bf16(f32::MAX), 0x7f80);
        assert_eq!(f32_to_bf16(f32::from_bits(0x7f80_0001)), 0x7fc0);
        assert_eq!(f32_to_bf16(f32::from_bits(0xffff_ffff)), 0xffff);
    }
}
