//! NVFP4: x = s * v, an unsigned 8-bit float per 16 weights and 4-bit floats. Importance weights do not change it.
//!
//! The scales have four exponent and three mantissa bits. A further scale per tensor, which files from other makers
//! carry beside the tensor, is no part of the block.

use super::four_bit_float::{pack, unpack};
use super::range::magnitude;
use crate::BlockType;

/// Weights per block.
pub(crate) const LEN: usize = 64;
/// Groups of 16 weights.
const GROUPS: usize = LEN / 16;
/// Bytes of a block: scales (4), codes (32).
pub(crate) const BYTES: usize = GROUPS + LEN / 2;
const _: () = assert!(BYTES == BlockType::NVFP4.block_bytes() && LEN == BlockType::NVFP4.block_len());

/// Largest scale: 1.75 * 2^8.
const LARGEST: u8 = 0x7e;

#[inline(always)]
pub(crate) fn encode(x: &[f32; LEN], out: &mut [u8; BYTES]) {
    let (scales, codes) = out.split_at_mut(GROUPS);
    for ((x, scale), codes) in x.as_chunks::<16>().0.iter().zip(scales).zip(codes.as_chunks_mut::<8>().0) {
        let largest = magnitude(x);
        *scale = scale_code(largest / 6.0);
        pack(x, largest, half_scale(*scale), codes);
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let (scales, codes) = block.split_at(GROUPS);
    for ((&scale, codes), out) in scales.iter().zip(codes.as_chunks::<8>().0).zip(out.as_chunks_mut::<16>().0) {
        unpack(codes, half_scale(scale), out);
    }
}

/// Half the value of a scale. Code 0x7f, the NaN of this format, is read as zero; the upper bit of other codes is
/// ignored except that it makes 0xff the largest number.
fn half_scale(code: u8) -> f32 {
    if code & 0x7f == 0 || code == 0x7f {
        return 0.0;
    }
    let (exponent, mantissa) = ((code >> 3) & 15, f32::from(code & 7));
    if exponent == 0 {
        mantissa / 1024.0
    } else {
        (1.0 + mantissa / 8.0) * f32::from_bits((u32::from(exponent) + 127 - 8) << 23)
    }
}

/// The nearest scale, halves rounded up; the largest for everything beyond it.
fn scale_code(v: f32) -> u8 {
    const SMALLEST_NORMAL: f32 = 1.0 / 64.0;
    if v.is_nan() || v <= 0.0 {
        return 0;
    }
    if v < SMALLEST_NORMAL {
        return ((v * 512.0 + 0.5) as u8).min(7);
    }
    // Exponent and three mantissa bits, the next bit rounding them up; the carry runs into the exponent.
    let code = (v.to_bits() >> 20) + ((v.to_bits() >> 19) & 1) - ((127 - 7) << 3);
    code.min(u32::from(LARGEST)) as u8
}
