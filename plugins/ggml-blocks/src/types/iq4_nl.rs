//! IQ4_NL: x = d * v, one half-float scale and 32 codes of sixteen unevenly spaced values.

use super::f16::{f16_to_f32, f32_to_f16};
use super::fifth_bits::pack_nibbles;
use super::range::inverse;
use super::weighted_row::{block, padded};
use crate::BlockType;
use crate::fit::{nonlinear, powers, weigh};
use crate::lanes::{GROUPS, Lanes, groups, groups_mut};

/// Bytes of a block: scale (2), codes (16).
pub(crate) const BYTES: usize = 2 + 16;
const _: () = assert!(BYTES == BlockType::IQ4_NL.block_bytes());

/// Whole blocks of one row, sixteen at a time. The power that enters the importance weights is that of each block.
#[inline(always)]
pub(crate) fn encode_blocks<V: Lanes>(x: &[f32], importance: Option<&[f32]>, out: &mut [[u8; BYTES]]) {
    for (k, out) in out.chunks_mut(GROUPS).enumerate() {
        let x = padded(x, k);
        let mut weights = x.map(|v| v * v);
        if let Some(importance) = importance {
            let importance = padded(importance, k);
            let powers = powers::<V, 32>(groups(&x));
            for (i, weights) in groups_mut(&mut weights).iter_mut().enumerate() {
                *weights = weigh(block(&x, i), block(&importance, i), powers[i] * (2.0 / 32.0));
            }
        }
        let scales = nonlinear::fit_groups::<V>(groups(&x), groups(&weights));
        for (i, out) in out.iter_mut().enumerate() {
            let codes = nonlinear::codes(block(&x, i), inverse(scales[i]));
            out[..2].copy_from_slice(&f32_to_f16(scales[i]).to_le_bytes());
            out[2..].copy_from_slice(&pack_nibbles(&codes));
        }
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; 32]) {
    let &[d0, d1, ref packed @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    nonlinear::values_of(packed, d, out);
}
