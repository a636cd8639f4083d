//! Q5_0: x = d * (q - 16), one half-float scale, fifth bits in a word, 32 nibbles.

use super::fifth_bits::{pack_fifth, pack_nibbles, unpack_five};
use super::range::{extreme, inverse};
use super::weighted_row::{batch, block};
use crate::BlockType;
use crate::fit::symmetric;
use crate::lanes::{GROUPS, Lanes, groups};
use crate::round::floor_to_byte;

/// Bytes of a block: scale (2), fifth bits (4), low nibbles (16).
pub(crate) const BYTES: usize = 2 + 4 + 16;
const _: () = assert!(BYTES == BlockType::Q5_0.block_bytes());

/// The weight of largest magnitude becomes level 0 (-16).
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let d = extreme::<V>(x) / -16.0;
    let id = inverse(d);
    let levels = x.map(|v| floor_to_byte(v * id + 16.5).min(31));
    store::<V>(d, &levels, out);
}

/// One row under importance weights.
#[inline(always)]
pub(crate) fn encode_row_weighted<V: Lanes>(row: &[f32], importance: &[f32], power: f32, out: &mut [[u8; BYTES]]) {
    let sigma2 = power / row.len() as f32;
    for (k, blocks) in out.chunks_mut(GROUPS).enumerate() {
        let (x, weights) = batch(row, importance, sigma2, k);
        let fit = symmetric::fit_groups::<V, 32>(16, groups(&x), Some(groups(&weights)));
        for (i, out) in blocks.iter_mut().enumerate() {
            store::<V>(fit.scale[i], &fit.levels::<V, 32>(i, block(&x, i), 16), out);
        }
    }
}

#[inline(always)]
fn store<V: Lanes>(d: f32, levels: &[u8; 32], out: &mut [u8; BYTES]) {
    out[..2].copy_from_slice(&V::to_half(d).to_le_bytes());
    out[2..6].copy_from_slice(&pack_fifth(levels));
    out[6..].copy_from_slice(&pack_nibbles(levels));
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, h0, h1, h2, h3, ref packed @ ..] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let fifth = u32::from_le_bytes([h0, h1, h2, h3]);
    for i in 0..16 {
        let (low, high) = unpack_five(packed, fifth, i);
        out[i] = (low - 16) as f32 * d;
        out[i + 16] = (high - 16) as f32 * d;
    }
}
