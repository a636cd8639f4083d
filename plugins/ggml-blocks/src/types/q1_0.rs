//! Q1_0: x = d or -d, one half-float scale and 128 bits. Importance weights do not change it.

use super::f16::{f16_to_f32, f32_to_f16};
use crate::BlockType;

/// Weights per block.
pub(crate) const LEN: usize = 128;
/// Bytes of a block: scale (2), one bit per weight from the lowest up (16).
pub(crate) const BYTES: usize = 2 + LEN / 8;
const _: () = assert!(BYTES == BlockType::Q1_0.block_bytes() && LEN == BlockType::Q1_0.block_len());

/// The scale is the mean magnitude; the bit is set for weights that are not negative.
#[inline(always)]
pub(crate) fn encode(x: &[f32; LEN], out: &mut [u8; BYTES]) {
    let d = x.iter().fold(0.0, |sum, v| sum + v.abs()) / LEN as f32;
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    for (packed, x) in out[2..].iter_mut().zip(x.as_chunks::<8>().0) {
        *packed = x.iter().enumerate().fold(0, |bits, (i, &v)| bits | u8::from(v >= 0.0) << i);
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let &[d0, d1, ref packed @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    for (packed, out) in packed.iter().zip(out.as_chunks_mut::<8>().0) {
        *out = core::array::from_fn(|i| if (packed >> i) & 1 != 0 { d } else { -d });
    }
}
