//! IQ4_XS: eight groups of 32, x = d * (s - 32) * v, with 6-bit s and codes of sixteen unevenly spaced values.

use super::f16::{f16_to_f32, f32_to_f16};
use super::fifth_bits::pack_nibbles;
use super::range::inverse;
use super::{Pair, SUPER};
use crate::BlockType;
use crate::fit::{nonlinear, power, weigh};
use crate::lanes::{Lanes, groups};
use crate::round::nearest_int;

/// Bytes of a block: scale (2), upper two bits of the group scales (2), lower four (4), codes (128).
pub(crate) const BYTES: usize = 2 + 2 + 4 + 128;
const _: () = assert!(BYTES == BlockType::IQ4_XS.block_bytes());

/// One or two super-blocks.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &Pair, importance: Option<[&[f32; SUPER]; 2]>, out: &mut [[u8; BYTES]]) {
    let mut weights = x.map(|v| v * v);
    if let Some(importance) = importance {
        for (k, weights) in weights.as_chunks_mut::<SUPER>().0.iter_mut().enumerate() {
            let x = &x.as_chunks::<SUPER>().0[k];
            *weights = weigh(x, importance[k], power(x) * (2.0 / SUPER as f32));
        }
    }
    let scales = nonlinear::fit_groups::<V>(groups(x), groups(&weights));
    for ((x, scales), out) in x.as_chunks().0.iter().zip(scales.as_chunks().0).zip(out) {
        store(x, scales, out);
    }
}

#[inline(always)]
fn store(x: &[f32; SUPER], scales: &[f32; 8], out: &mut [u8; BYTES]) {
    let extreme = scales.iter().fold(0.0f32, |kept, &v| if v.abs() > kept.abs() { v } else { kept });
    let d = -extreme / 32.0;
    let (head, packed) = out.split_at_mut(8);
    let (mut high, mut low) = (0u16, [0u8; 4]);
    for (i, (x, packed)) in x.as_chunks::<32>().0.iter().zip(packed.as_chunks_mut::<16>().0).enumerate() {
        let scale = nearest_int(inverse(d) * scales[i]).clamp(-32, 31);
        *packed = pack_nibbles(&nonlinear::codes(x, inverse(d * scale as f32)));
        let code = (scale + 32) as u8;
        low[i / 2] |= (code & 15) << (4 * (i % 2));
        high |= u16::from(code >> 4) << (2 * i);
    }
    head[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    head[2..4].copy_from_slice(&high.to_le_bytes());
    head[4..].copy_from_slice(&low);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, h0, h1, l0, l1, l2, l3, ref packed @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let (high, low) = (u16::from_le_bytes([h0, h1]), [l0, l1, l2, l3]);
    for (i, (packed, out)) in packed.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<32>().0).enumerate() {
        let code = i32::from((low[i / 2] >> (4 * (i % 2))) & 15) | i32::from((high >> (2 * i)) & 3) << 4;
        let scale = d * (code - 32) as f32;
        nonlinear::values_of(packed, scale, out);
    }
}
