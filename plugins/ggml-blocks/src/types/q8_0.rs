//! Q8_0: x = d * q, one half-float scale and 32 signed bytes. Importance weights do not change it.

use super::range::{inverse, magnitude};
use crate::BlockType;
use crate::lanes::Lanes;
use crate::round::round_to_byte;

/// Bytes of a block: scale (2), levels (32).
pub(crate) const BYTES: usize = 2 + 32;
const _: () = assert!(BYTES == BlockType::Q8_0.block_bytes());

/// The largest magnitude becomes 127; halves round away from zero.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let d = magnitude(x) / 127.0;
    let id = inverse(d);
    out[..2].copy_from_slice(&V::to_half(d).to_le_bytes());
    out[2..].copy_from_slice(&x.map(|v| round_to_byte(v * id)));
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, ref levels @ ..] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    for i in 0..32 {
        out[i] = f32::from(levels[i] as i8) * d;
    }
}
