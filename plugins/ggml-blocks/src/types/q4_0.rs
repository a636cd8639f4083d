//! Q4_0: x = d * (q - 8), one half-float scale and 32 nibbles.

use super::fifth_bits::{pack_nibbles, unpack_wide};
use super::range::{extreme, inverse};
use super::weighted_row::{batch, block};
use crate::BlockType;
use crate::fit::symmetric;
use crate::lanes::{GROUPS, Lanes, groups};
use crate::round::floor_to_byte;

/// Bytes of a block: scale (2), levels (16).
pub(crate) const BYTES: usize = 2 + 16;
const _: () = assert!(BYTES == BlockType::Q4_0.block_bytes());

/// The weight of largest magnitude becomes level 0 (-8); the scale used for rounding is the one before half precision.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let d = extreme::<V>(x) / -8.0;
    let id = inverse(d);
    let levels = x.map(|v| floor_to_byte(v * id + 8.5).min(15));
    store::<V>(d, &levels, out);
}

/// One row under importance weights.
#[inline(always)]
pub(crate) fn encode_row_weighted<V: Lanes>(row: &[f32], importance: &[f32], power: f32, out: &mut [[u8; BYTES]]) {
    let sigma2 = power / row.len() as f32;
    for (k, blocks) in out.chunks_mut(GROUPS).enumerate() {
        let (x, weights) = batch(row, importance, sigma2, k);
        let fit = symmetric::fit_groups::<V, 32>(8, groups(&x), Some(groups(&weights)));
        for (i, out) in blocks.iter_mut().enumerate() {
            store::<V>(fit.scale[i], &fit.levels::<V, 32>(i, block(&x, i), 8), out);
        }
    }
}

#[inline(always)]
fn store<V: Lanes>(d: f32, levels: &[u8; 32], out: &mut [u8; BYTES]) {
    out[..2].copy_from_slice(&V::to_half(d).to_le_bytes());
    out[2..].copy_from_slice(&pack_nibbles(levels));
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, ref packed @ ..] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let (low, high) = unpack_wide(packed);
    for i in 0..16 {
        out[i] = (low[i] as i32 - 8) as f32 * d;
    }
    for i in 0..16 {
        out[i + 16] = (high[i] as i32 - 8) as f32 * d;
    }
}
