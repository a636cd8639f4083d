//! IQ4_NL: x = d * v, one half-float scale and 32 codes of sixteen unevenly spaced values.

use super::f16::{f16_to_f32, f32_to_f16};
use super::fifth_bits::{pack_nibbles, unpack_nibbles};
use super::range::inverse;
use super::weighted_row::{BATCH, block};
use crate::BlockType;
use crate::fit::{nonlinear, power, weigh};

/// Bytes of a block: scale (2), codes (16).
pub(crate) const BYTES: usize = 2 + 16;
const _: () = assert!(BYTES == BlockType::IQ4_NL.block_bytes());

/// Whole blocks, eight at a time. The power that enters the importance weights is that of each block of 32.
pub(crate) fn encode_blocks(x: &[f32], importance: Option<&[f32]>, out: &mut [[u8; BYTES]]) {
    let mut importance = importance.map(|importance| importance.chunks(BATCH));
    for (x, out) in x.chunks(BATCH).zip(out.chunks_mut(8)) {
        let mut batch = [0.0; BATCH];
        batch[..x.len()].copy_from_slice(x);
        let mut weights = batch.map(|v| v * v);
        if let Some(importance) = importance.as_mut().and_then(Iterator::next) {
            let mut padded = [0.0; BATCH];
            padded[..importance.len()].copy_from_slice(importance);
            for (i, weights) in weights.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                let x = block(&batch, i);
                *weights = weigh(x, block(&padded, i), power(x) * (2.0 / 32.0));
            }
        }
        let scales = nonlinear::fit_groups(&batch, &weights);
        for (i, out) in out.iter_mut().enumerate() {
            let codes = nonlinear::codes(block(&batch, i), inverse(scales[i]));
            out[..2].copy_from_slice(&f32_to_f16(scales[i]).to_le_bytes());
            out[2..].copy_from_slice(&pack_nibbles(&codes));
        }
    }
}

pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, ref packed @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    *out = unpack_nibbles(packed).map(|code| d * nonlinear::VALUES[usize::from(code)]);
}
