//! Q5_K: Q4_K with a fifth bit per weight: bit g of byte i of the 32 high bytes belongs to weight i of group g.

use super::affine_super::{self, HEAD, Quantized, read_head};
use super::{Pair, SUPER};
use crate::BlockType;
use crate::fit::affine::Search;
use crate::lanes::Lanes;

/// Bytes of fifth bits.
const HIGH: usize = SUPER / 8;
/// Bytes of a block: head (16), fifth bits (32), nibbles (128).
pub(crate) const BYTES: usize = HEAD + HIGH + SUPER / 2;
const _: () = assert!(BYTES == BlockType::Q5_K.block_bytes());

const PLAIN: Search = Search { top: 31, first: -0.5, step: 0.1, steps: 15, absolute: false };
const WEIGHTED: Search = Search { top: 31, first: -0.9, step: 0.05, steps: 36, absolute: false };

/// One or two super-blocks.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &Pair, importance: Option<[&[f32; SUPER]; 2]>, out: &mut [[u8; BYTES]]) {
    let blocks = match importance {
        None => affine_super::quantize::<V>(&PLAIN, x),
        Some(importance) => affine_super::quantize_weighted::<V>(&WEIGHTED, x, importance, true),
    };
    for (block, out) in blocks.iter().zip(out) {
        store(block, out);
    }
}

#[inline(always)]
fn store(block: &Quantized, out: &mut [u8; BYTES]) {
    let mut high = [0u8; HIGH];
    let pairs = block.levels.as_chunks::<64>().0;
    for (j, (packed, levels)) in out[HEAD + HIGH..].as_chunks_mut::<32>().0.iter_mut().zip(pairs).enumerate() {
        for i in 0..32 {
            high[i] |= (levels[i] >> 4) << (2 * j) | (levels[i + 32] >> 4) << (2 * j + 1);
            packed[i] = (levels[i] & 15) | levels[i + 32] << 4;
        }
    }
    out[..HEAD].copy_from_slice(&block.head);
    out[HEAD..HEAD + HIGH].copy_from_slice(&high);
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let Some((head, rest)) = block.split_first_chunk::<HEAD>() else { return };
    let Some((high, nibbles)) = rest.split_first_chunk::<HIGH>() else { return };
    let (scales, minimums) = read_head::<V>(head);
    let pairs = nibbles.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<64>().0);
    for (j, (packed, out)) in pairs.enumerate() {
        let (d0, m0, d1, m1) = (scales[2 * j], minimums[2 * j], scales[2 * j + 1], minimums[2 * j + 1]);
        for i in 0..32 {
            let (low_bit, high_bit) = ((high[i] >> (2 * j)) & 1, (high[i] >> (2 * j + 1)) & 1);
            out[i] = d0 * f32::from((packed[i] & 15) | low_bit << 4) - m0;
            out[i + 32] = d1 * f32::from((packed[i] >> 4) | high_bit << 4) - m1;
        }
    }
}
