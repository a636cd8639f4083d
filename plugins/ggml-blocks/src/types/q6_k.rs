//! Q6_K: sixteen groups of 16, x = d * s * (q - 32), with signed 8-bit s; low nibbles apart from the upper two bits.

use super::SUPER;
use super::requantize::requantize;
use crate::BlockType;
use crate::fit::symmetric::{self, NOTHING};
use crate::lanes::{Lanes, groups};
use crate::round::nearest_int;

/// Groups of 16 weights.
const GROUPS: usize = SUPER / 16;
/// Weights whose bits are packed together.
const HALF: usize = SUPER / 2;
/// Bytes of low nibbles.
const LOW: usize = SUPER / 2;
/// Bytes of upper bits.
const HIGH: usize = SUPER / 4;
/// Bytes of a block: low nibbles (128), upper bits (64), scales (16), scale (2).
pub(crate) const BYTES: usize = LOW + HIGH + GROUPS + 2;
const _: () = assert!(BYTES == BlockType::Q6_K.block_bytes());

/// With importance the given weights enter as they are, without the power of the weights around.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: Option<&[f32; SUPER]>, out: &mut [u8; BYTES]) {
    let fit = symmetric::fit_groups::<V, 16>(32, groups(x), importance.map(groups));
    let scales = fit.scale;
    let extreme = scales.iter().fold(0.0f32, |kept, &v| if v.abs() > kept.abs() { v } else { kept });
    if extreme.abs() < NOTHING {
        *out = [0; BYTES];
        return;
    }
    let inverse = -128.0 / extreme;
    let half = V::to_half(1.0 / inverse);
    let d = V::from_half(half);
    let codes = scales.map(|v| nearest_int(inverse * v).min(127) as i8);

    let mut levels = [0; SUPER];
    for (j, (x, levels)) in x.as_chunks::<16>().0.iter().zip(levels.as_chunks_mut::<16>().0).enumerate() {
        let scale = d * f32::from(codes[j]);
        *levels =
            if scale == 0.0 { fit.levels::<V, 16>(j, x, 32) } else { requantize::<V, 16>(x, 0.0, scale, -32, 31) };
    }
    store(&levels, codes, half, out);
}

#[inline(always)]
fn store(levels: &[u8; SUPER], codes: [i8; GROUPS], d: u16, out: &mut [u8; BYTES]) {
    for (half, q) in levels.as_chunks::<HALF>().0.iter().enumerate() {
        for i in 0..32 {
            out[64 * half + i] = (q[i] & 15) | q[i + 64] << 4;
            out[64 * half + 32 + i] = (q[i + 32] & 15) | q[i + 96] << 4;
            out[LOW + 32 * half + i] = q[i] >> 4 | q[i + 32] >> 4 << 2 | q[i + 64] >> 4 << 4 | q[i + 96] >> 4 << 6;
        }
    }
    out[LOW + HIGH..BYTES - 2].copy_from_slice(&codes.map(|code| code as u8));
    out[BYTES - 2..].copy_from_slice(&d.to_le_bytes());
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[ref head @ .., d0, d1] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let mut levels = [0u8; SUPER];
    for (half, q) in levels.as_chunks_mut::<HALF>().0.iter_mut().enumerate() {
        for i in 0..32 {
            let (a, b, high) = (head[64 * half + i], head[64 * half + 32 + i], head[LOW + 32 * half + i]);
            q[i] = (a & 15) | (high & 3) << 4;
            q[i + 32] = (b & 15) | (high >> 2 & 3) << 4;
            q[i + 64] = a >> 4 | (high >> 4 & 3) << 4;
            q[i + 96] = b >> 4 | high >> 6 << 4;
        }
    }
    for (j, (levels, out)) in levels.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0).enumerate() {
        let scale = d * f32::from(head[LOW + HIGH + j] as i8);
        *out = levels.map(|q| scale * (i32::from(q) - 32) as f32);
    }
}
