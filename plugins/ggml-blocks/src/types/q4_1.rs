//! Q4_1: x = d * q + m, half-float scale and minimum, 32 nibbles.

use super::fifth_bits::{pack_nibbles, unpack_wide};
use super::range::{ends, steps_above};
use super::weighted_row::{batch, block};
use crate::BlockType;
use crate::fit::affine::{self, Search};
use crate::lanes::{GROUPS, Lanes, groups};

/// Bytes of a block: scale (2), minimum (2), levels (16).
pub(crate) const BYTES: usize = 2 + 2 + 16;
const _: () = assert!(BYTES == BlockType::Q4_1.block_bytes());

const WEIGHTED: Search = Search { top: 15, first: -0.9, step: 0.05, steps: 36, absolute: false };

/// The ends of the block become levels 0 and 15.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let (low, high) = ends::<V>(x);
    let d = (high - low) / 15.0;
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
    out[4..].copy_from_slice(&pack_nibbles(levels));
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, m0, m1, ref packed @ ..] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let m = V::from_half(u16::from_le_bytes([m0, m1]));
    let (low, high) = unpack_wide(packed);
    for i in 0..16 {
        out[i] = low[i] as i32 as f32 * d + m;
    }
    for i in 0..16 {
        out[i + 16] = high[i] as i32 as f32 * d + m;
    }
}
