//! IQ1_S: eights of a book of 2048 points, x = d * (2 * s + 1) * (c - 1 +- 1/8), 3-bit s and one shift per 32.

use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{odd_codes, weights};
use super::{PAIR, Pair, SUPER};
use crate::BlockType;
use crate::codebook::{iq1_book, points};
use crate::fit::ternary::{self, SHIFT};
use crate::lanes::{GROUPS, Lanes, groups};

/// Bytes of low index bytes.
const LOW: usize = SUPER / 8;
/// Bytes of a block: scale (2), low index bytes (32); per 32 weights four times three index bits, scale, shift (16).
pub(crate) const BYTES: usize = 2 + LOW + 2 * SUPER / 32;
const _: () = assert!(BYTES == BlockType::IQ1_S.block_bytes());

/// A group with no weight of at least this magnitude counts as all zero.
const NOTHING: f32 = 1e-12;
/// The reference stores this much more than the scale that it found.
const FUDGE: f32 = 1.125;

/// One or two super-blocks. There always is importance.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &Pair, importance: Option<[&[f32; SUPER]; 2]>, out: &mut [[u8; BYTES]]) {
    let Some(importance) = importance else { return };
    let mut weighted = [0.0; PAIR];
    for (k, weighted) in weighted.as_chunks_mut::<SUPER>().0.iter_mut().enumerate() {
        *weighted = weights(&x.as_chunks::<SUPER>().0[k], importance[k], 2.0);
    }
    let (x, weights) = (groups(x), groups(&weighted));
    let book = iq1_book();
    let fits = ternary::whole::fit_groups::<V>(NOTHING, x, weights);
    let mut places = ternary::places::<V, 32, 4>(book, &fits);
    let mut scales = [0.0; GROUPS];
    for (group, fit) in fits.iter().enumerate() {
        let Some(fit) = fit else { continue };
        let shifts = [[SHIFT, -SHIFT][fit.shift]; 4];
        scales[group] =
            ternary::settle::<V, _, _>(book, &x[group], &weights[group], &shifts, fit.scale, &mut places[group]);
    }
    for (k, out) in out.iter_mut().enumerate() {
        let mut indices = [[0; 4]; 8];
        let mut high = [0; 8];
        for (group, fit) in fits[8 * k..][..8].iter().enumerate() {
            let Some(fit) = fit else { continue };
            indices[group] = places[8 * k + group].map(|place| book.index(place));
            high[group] = (fit.shift as u16) << 15;
        }
        store(scales.as_chunks().0[k], &indices, high, out);
    }
}

/// One super-block, from the scales, indices and shifts (the highest bits of `high`) of its groups.
#[inline(always)]
fn store(scales: [f32; 8], indices: &[[u16; 4]; 8], mut high: [u16; 8], out: &mut [u8; BYTES]) {
    out.fill(0);
    for (group, indices) in indices.iter().enumerate() {
        for (k, index) in indices.iter().enumerate() {
            out[2 + 4 * group + k] = *index as u8;
            high[group] |= (index >> 8) << (3 * k);
        }
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
