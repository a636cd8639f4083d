//! TQ2_0: x = d * (q - 1), two bits per ternary weight. Importance weights do not change it.

use super::SUPER;
use super::f16::f16_to_f32;
use super::ternary::digits;
use super::two_bit_planes;
use crate::BlockType;

/// Bytes of levels.
const LEVELS: usize = SUPER / 4;
/// Bytes of a block: levels (64), scale (2).
pub(crate) const BYTES: usize = LEVELS + 2;
const _: () = assert!(BYTES == BlockType::TQ2_0.block_bytes());

#[inline(always)]
pub(crate) fn encode(x: &[f32; SUPER], out: &mut [u8; BYTES]) {
    let (d, digits) = digits(x);
    two_bit_planes::pack(&digits, &mut out[..LEVELS]);
    out[LEVELS..].copy_from_slice(&d);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[ref levels @ .., d0, d1] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    *out = two_bit_planes::unpack(levels).map(|q| (i32::from(q) - 1) as f32 * d);
}
