//! IQ1_M: eights of a book of 2048 points, x = d * (2 * s + 1) * (c - 1 +- 1/8), 3-bit s per 16, a shift per eight. Read only.
//!
//! The half-float scale is spread over the upper four bits of the four words that hold the 3-bit scales.

use super::SUPER;
use super::f16::f16_to_f32;
use crate::BlockType;
use crate::codebook::{Codebook, points};
use crate::fit::ternary::SHIFT;

/// Where the parts of a block start: low index bytes (32); per two eights three index bits and a shift each (16); 3-bit
/// scales and the block's scale (8).
const HIGH: usize = SUPER / 8;
const SCALES: usize = HIGH + SUPER / 16;
/// Bytes of a block.
pub(crate) const BYTES: usize = SCALES + 8;
const _: () = assert!(BYTES == BlockType::IQ1_M.block_bytes());

/// The index of an eight.
#[inline(always)]
fn index(block: &[u8; BYTES], eight: usize) -> u16 {
    let high = (block[HIGH + eight / 2] >> (4 * (eight % 2))) & 7;
    u16::from(block[eight]) | u16::from(high) << 8
}

/// The half-float scale of a block.
pub(crate) fn scale(block: &[u8; BYTES]) -> u16 {
    let words = block[SCALES..].as_chunks::<2>().0.iter().enumerate();
    words.fold(0, |half, (i, &word)| half | (u16::from_le_bytes(word) >> 12) << (4 * i))
}

pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let d = f16_to_f32(scale(block));
    let words = block[SCALES..].as_chunks::<2>().0;
    for (k, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let group = k / 2;
        let code = (u16::from_le_bytes(words[group / 4]) >> (3 * (group % 4))) & 7;
        let scale = d * f32::from(2 * code + 1);
        let shift = if block[HIGH + group] & (8 << (4 * (k % 2))) != 0 { -SHIFT } else { SHIFT };
        let point = Codebook::<8>::coordinates(points::IQ1[usize::from(index(block, k))]);
        *out = point.map(|c| scale * (f32::from(c) - 1.0 + shift));
    }
}
