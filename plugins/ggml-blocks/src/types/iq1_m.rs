//! IQ1_M: eights of a book of 2048 points, x = d * (2 * s + 1) * (c - 1 +- 1/8), 3-bit s per 16, a shift per eight.
//!
//! The half-float scale is spread over the upper four bits of the four words that hold the 3-bit scales.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{odd_codes, weights};
use crate::BlockType;
use crate::codebook::{iq1_book, points};
use crate::fit::ternary::{self, SHIFT};
use crate::lanes::{Lanes, groups};

/// Where the parts of a block start: low index bytes (32); per two eights three index bits and a shift each (16); 3-bit
/// scales and the block's scale (8).
const HIGH: usize = SUPER / 8;
const SCALES: usize = HIGH + SUPER / 16;
/// Bytes of a block.
pub(crate) const BYTES: usize = SCALES + 8;
const _: () = assert!(BYTES == BlockType::IQ1_M.block_bytes());

/// A group with no weight of at least this magnitude counts as all zero.
const NOTHING: f32 = 1e-7;
/// The reference stores this much more than the scale that it found.
const FUDGE: f32 = 1.1125;

/// How far the values of the two eights of a group lie above -1, 0 and 1 under each of the four shifts.
const HALVES: [[f32; 2]; 4] = [[SHIFT, SHIFT], [SHIFT, -SHIFT], [-SHIFT, SHIFT], [-SHIFT, -SHIFT]];
/// The bits that stand for them.
const SHIFT_BITS: [u8; 4] = [0x00, 0x80, 0x08, 0x88];

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: Option<&[f32; SUPER]>, out: &mut [u8; BYTES]) {
    let book = iq1_book();
    let weights = match importance {
        Some(importance) => weights(x, importance, 2.0),
        None => x.map(|v| v * v),
    };
    out.fill(0);
    let (mut scales, mut shifts) = ([0.0; 16], [0; 16]);
    let (x, weights) = (groups(x), groups(&weights));
    let fits = ternary::halves::fit_groups::<V>(NOTHING, x, weights);
    let mut places = ternary::places::<V, 16, 2>(book, &fits);
    for (group, fit) in fits.into_iter().enumerate() {
        let Some(fit) = fit else { continue };
        let places = &mut places[group];
        scales[group] =
            ternary::settle::<V, _, _>(book, &x[group], &weights[group], &HALVES[fit.shift], fit.scale, places);
        let indices = places.map(|place| book.index(place));
        out[2 * group] = indices[0] as u8;
        out[2 * group + 1] = indices[1] as u8;
        out[HIGH + group] = ((indices[0] >> 8) | (indices[1] >> 8) << 4) as u8;
        shifts[group] = fit.shift;
    }
    let Some((d, codes)) = odd_codes(&scales, 7) else { return };
    let mut words = [0u16; 4];
    let mut terms = [[[0.0; 8]; 2]; SUPER / 8];
    for group in 0..16 {
        words[group / 4] |= u16::from(codes[group]) << (3 * (group % 4));
        let (x, weights) = (x[group].as_chunks::<8>().0, weights[group].as_chunks::<8>().0);
        for k in 0..2 {
            let (shift, times) = (HALVES[shifts[group]][k], f32::from(2 * codes[group] + 1));
            terms[2 * group + k] = ternary::terms(&x[k], &weights[k], places[group][k], shift, times);
        }
        out[HIGH + group] |= SHIFT_BITS[shifts[group]];
    }
    let (sum_qx, sum_qq) = ternary::totals(&terms);
    let d = if sum_qq > 0.0 { sum_qx / sum_qq } else { d };
    let half = f32_to_f16(d * FUDGE);
    for (i, out) in out[SCALES..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
        *out = (words[i] | (half >> (4 * i)) << 12).to_le_bytes();
    }
}

/// The index of an eight.
#[inline(always)]
fn index(block: &[u8; BYTES], eight: usize) -> u16 {
    let high = (block[HIGH + eight / 2] >> (4 * (eight % 2))) & 7;
    u16::from(block[eight]) | u16::from(high) << 8
}

/// The half-float scale of a block.
pub(crate) fn scale(block: &[u8; BYTES]) -> u16 {
    let words = block[SCALES..].as_chunks::<2>().0.iter().enumerate();
    words.fold(0, |half, (i, &word)| half | (u16::from_le_bytes(word) >> 12) << (4 * i))
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let d = f16_to_f32(scale(block));
    let words = block[SCALES..].as_chunks::<2>().0;
    for (k, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let group = k / 2;
        let code = (u16::from_le_bytes(words[group / 4]) >> (3 * (group % 4))) & 7;
        let scale = d * f32::from(2 * code + 1);
        let shift = if block[HIGH + group] & (8 << (4 * (k % 2))) != 0 { -SHIFT } else { SHIFT };
        let point = u32::from(points::IQ1[usize::from(index(block, k))]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = scale * (((point >> (2 * i)) & 3) as i32 as f32 - 1.0 + shift);
        }
    }
}
