//! Q2_0: x = d * (q - 1), one half-float scale and 64 levels of two bits. Importance weights do not change it.

use super::f16::{f16_to_f32, f32_to_f16};
use super::range::{inverse, magnitude};
use crate::BlockType;
use crate::round::round_to_byte;

/// Weights per block.
pub(crate) const LEN: usize = 64;
/// Bytes of a block: scale (2), levels, four per byte from the lowest bits up (16).
pub(crate) const BYTES: usize = 2 + LEN / 4;
const _: () = assert!(BYTES == BlockType::Q2_0.block_bytes() && LEN == BlockType::Q2_0.block_len());

/// The largest magnitude becomes level 0 or 2; halves round away from zero, and level 3 is never written.
#[inline(always)]
pub(crate) fn encode(x: &[f32; LEN], out: &mut [u8; BYTES]) {
    let d = magnitude(x);
    let id = inverse(d);
    // Where 1 / d overflows, the reference's conversion of infinity to an integer ends at the lowest level.
    let offset = u8::from(id.is_finite());
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    for (packed, x) in out[2..].iter_mut().zip(x.as_chunks::<4>().0) {
        let q = x.map(|v| round_to_byte(v * id).wrapping_add(offset).min(3));
        *packed = q[0] | q[1] << 2 | q[2] << 4 | q[3] << 6;
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let &[d0, d1, ref packed @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    for (packed, out) in packed.iter().zip(out.as_chunks_mut::<4>().0) {
        *out = core::array::from_fn(|i| (i32::from((packed >> (2 * i)) & 3) - 1) as f32 * d);
    }
}
