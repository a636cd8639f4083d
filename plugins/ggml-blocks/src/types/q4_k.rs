//! Q4_K: eight groups of 32 with 6-bit scales and minimums; nibbles, groups 2i and 2i + 1 sharing 32 bytes.

use super::affine_super::{self, HEAD, Quantized, read_head};
use super::{Pair, SUPER};
use crate::BlockType;
use crate::fit::affine::Search;
use crate::lanes::Lanes;

/// Bytes of a block: head (16), nibbles (128).
pub(crate) const BYTES: usize = HEAD + SUPER / 2;
const _: () = assert!(BYTES == BlockType::Q4_K.block_bytes());

const PLAIN: Search = Search { top: 15, first: -1.0, step: 0.1, steps: 20, absolute: false };
const WEIGHTED: Search = Search { top: 15, first: -0.9, step: 0.05, steps: 36, absolute: false };

/// One or two super-blocks.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &Pair, importance: Option<[&[f32; SUPER]; 2]>, out: &mut [[u8; BYTES]]) {
    let blocks = match importance {
        None => affine_super::quantize::<V>(&PLAIN, x),
        Some(importance) => affine_super::quantize_weighted::<V>(&WEIGHTED, x, importance, false),
    };
    for (block, out) in blocks.iter().zip(out) {
        store(block, out);
    }
}

#[inline(always)]
fn store(block: &Quantized, out: &mut [u8; BYTES]) {
    out[..HEAD].copy_from_slice(&block.head);
    let pairs = block.levels.as_chunks::<64>().0;
    for (packed, levels) in out[HEAD..].as_chunks_mut::<32>().0.iter_mut().zip(pairs) {
        for i in 0..32 {
            packed[i] = levels[i] | levels[i + 32] << 4;
        }
    }
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let Some((head, nibbles)) = block.split_first_chunk::<HEAD>() else { return };
    let (scales, minimums) = read_head::<V>(head);
    let pairs = nibbles.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<64>().0);
    for (j, (packed, out)) in pairs.enumerate() {
        let (d0, m0, d1, m1) = (scales[2 * j], minimums[2 * j], scales[2 * j + 1], minimums[2 * j + 1]);
        for i in 0..32 {
            out[i] = d0 * f32::from(packed[i] & 15) - m0;
            out[i + 32] = d1 * f32::from(packed[i] >> 4) - m1;
        }
    }
}
