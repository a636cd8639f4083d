//! Q5_1: x = d * q + m, half-float scale and minimum, fifth bits in a word, 32 nibbles.

use super::fifth_bits::{pack_fifth, pack_nibbles, unpack_five};
use super::range::{ends, steps_above};
use super::weighted_row::{batch, block};
use crate::BlockType;
use crate::fit::affine::{self, Search};
use crate::lanes::{GROUPS, Lanes, groups};

/// Bytes of a block: scale (2), minimum (2), fifth bits (4), low nibbles (16).
pub(crate) const BYTES: usize = 2 + 2 + 4 + 16;
const _: () = assert!(BYTES == BlockType::Q5_1.block_bytes());

const WEIGHTED: Search = Search { top: 31, first: -0.9, step: 0.05, steps: 36, absolute: false };

/// The ends of the block become levels 0 and 31.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let (low, high) = ends::<V>(x);
    let d = (high - low) / 31.0;
    let levels = steps_above::<V>(x, low, d);
    store::<V>(d, low, &levels, out);
}

/// One row under importance weights.
#[inline(always)]
pub(crate) fn encode_row_weighted<V: Lanes>(row: &[f32], importance: &[f32], power: f32, out: &mut [[u8; BYTES]]) {
    let sigma2 = power / row.len() as f32;
    for (k, blocks) in out.chunks_mut(GROUPS).enumerate() {
        let (x, weights) = batch(row, importance, sigma2, k);
        let fit = affine::fit_groups::<V, 32>(&WEIGHTED, groups(&x), groups(&weights));
        for (i, out) in blocks.iter_mut().enumerate() {
            let levels = fit.levels(&WEIGHTED, i, block(&x, i));
            store::<V>(fit.scale[i], -fit.offset[i], &levels, out);
        }
    }
}

#[inline(always)]
fn store<V: Lanes>(d: f32, m: f32, levels: &[u8; 32], out: &mut [u8; BYTES]) {
    out[..2].copy_from_slice(&V::to_half(d).to_le_bytes());
    out[2..4].copy_from_slice(&V::to_half(m).to_le_bytes());
    out[4..8].copy_from_slice(&pack_fifth(levels));
    out[8..].copy_from_slice(&pack_nibbles(levels));
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, m0, m1, h0, h1, h2, h3, ref packed @ ..] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let m = V::from_half(u16::from_le_bytes([m0, m1]));
    let fifth = u32::from_le_bytes([h0, h1, h2, h3]);
    for i in 0..16 {
        let (low, high) = unpack_five(packed, fifth, i);
        out[i] = low as f32 * d + m;
        out[i + 16] = high as f32 * d + m;
    }
}
