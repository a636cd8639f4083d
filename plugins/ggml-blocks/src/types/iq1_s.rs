//! IQ1_S: eights of a book of 2048 points, x = d * (2 * s + 1) * (c - 1 +- 1/8), 3-bit s and one shift per 32.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{odd_codes, weights};
use crate::BlockType;
use crate::codebook::{iq1_book, points};
use crate::fit::ternary::{self, DOWN, SHIFT, UP};
use crate::lanes::Lanes;

/// Bytes of low index bytes.
const LOW: usize = SUPER / 8;
/// Bytes of a block: scale (2), low index bytes (32); per 32 weights four times three index bits, scale, shift (16).
pub(crate) const BYTES: usize = 2 + LOW + 2 * SUPER / 32;
const _: () = assert!(BYTES == BlockType::IQ1_S.block_bytes());

/// A group with no weight of at least this magnitude counts as all zero.
const NOTHING: f32 = 1e-12;
/// The reference stores this much more than the scale that it found.
const FUDGE: f32 = 1.125;

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: &[f32; SUPER], out: &mut [u8; BYTES]) {
    let book = iq1_book();
    let weights = weights(x, importance, 2.0);
    out.fill(0);
    let (mut scales, mut high) = ([0.0; 8], [0u16; 8]);
    for group in 0..8 {
        let (x, weights) = (&x.as_chunks::<32>().0[group], &weights.as_chunks::<32>().0[group]);
        if x.iter().fold(0.0f32, |max, v| if max > v.abs() { max } else { v.abs() }) < NOTHING {
            continue;
        }
        let Some(mut fit) = ternary::fit_whole::<V>(x, weights) else { continue };
        if fit.scale < 0.0 {
            fit.coordinates = fit.coordinates.map(|c| 2 - c);
            fit.scale = -fit.scale;
            fit.shift = 1 - fit.shift;
        }
        let values = [UP, DOWN][fit.shift];
        let indices = ternary::settle::<V, _, _>(book, x, weights, &[values; 4], &mut fit);
        for (k, index) in indices.into_iter().enumerate() {
            out[2 + 4 * group + k] = index as u8;
            high[group] |= (index >> 8) << (3 * k);
        }
        high[group] |= (fit.shift as u16) << 15;
        scales[group] = fit.scale;
    }
    let codes = odd_codes(&scales, 7);
    if let Some((d, _)) = codes {
        out[..2].copy_from_slice(&f32_to_f16(d * FUDGE).to_le_bytes());
    }
    for (i, out) in out[2 + LOW..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let upper = codes.map_or(0, |(_, codes)| u16::from(codes[i]) << 12 | high[i] & 0x8000);
        *out = (high[i] & 0x0fff | upper).to_le_bytes();
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, ref rest @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let (low, high) = rest.split_at(LOW);
    for (k, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let high = u16::from_le_bytes(high.as_chunks::<2>().0[k / 4]);
        let scale = d * f32::from(2 * ((high >> 12) & 7) + 1);
        let shift = if high & 0x8000 != 0 { -SHIFT } else { SHIFT };
        let index = u16::from(low[k]) | ((high >> (3 * (k % 4))) & 7) << 8;
        let point = u32::from(points::IQ1[usize::from(index)]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = scale * (((point >> (2 * i)) & 3) as i32 as f32 - 1.0 + shift);
        }
    }
}
