//! Q8_0: x = d * q, one half-float scale and 32 signed bytes. Importance weights do not change it.

use super::f16::{f16_to_f32, f32_to_f16};
use super::range::{inverse, magnitude};
use crate::BlockType;
use crate::round::round_to_byte;

/// Bytes of a block: scale (2), levels (32).
pub(crate) const BYTES: usize = 2 + 32;
const _: () = assert!(BYTES == BlockType::Q8_0.block_bytes());

/// The largest magnitude becomes 127; halves round away from zero.
#[inline(always)]
pub(crate) fn encode(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let d = magnitude(x) / 127.0;
    let id = inverse(d);
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    out[2..].copy_from_slice(&x.map(|v| round_to_byte(v * id)));
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, ref levels @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    for i in 0..32 {
        out[i] = f32::from(levels[i] as i8) * d;
    }
}
