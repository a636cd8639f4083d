//! IQ3_XXS: fours of a book of 256 points, seven stored signs per eight, x = d * (s + 1/2) / 2 * value, 4-bit s per 32.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{largest, odd_codes, weights};
use super::sign_bits::{complete, factor, split_even};
use crate::BlockType;
use crate::codebook::{Codebook, iq3_xxs_book, points};
use crate::fit::lattice::{self, Again, Fit, Group, Room, Tries};
use crate::lanes::Lanes;

/// Bytes of indices.
const INDICES: usize = SUPER / 4;
/// Bytes of a block: scale (2), indices (64), four times seven signs and the scale of each 32 (32).
pub(crate) const BYTES: usize = 2 + INDICES + SUPER / 8;
const _: () = assert!(BYTES == BlockType::IQ3_XXS.block_bytes());

const TRIES: Tries = Tries::new(15.0, 15, 0.2);
/// A group with no weight of at least this magnitude counts as all zero.
const NOTHING: f32 = 1e-8;
/// The reference stores this much more than the scale that it found.
const FUDGE: f32 = 1.0125;
/// Magnitudes of the coordinates.
const VALUES: [f32; 8] = [4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 62.0];

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: Option<&[f32; SUPER]>, out: &mut [u8; BYTES]) {
    let book = iq3_xxs_book();
    let weights = match importance {
        Some(importance) => weights(x, importance, 2.0),
        None => x.map(|v| v * v),
    };
    let mut room = Room::new();
    let (mut scales, mut indices, mut signs) = ([0.0; 8], [0u8; INDICES], [0u32; 8]);
    for group in 0..8 {
        let (x, weights) = (&x.as_chunks::<32>().0[group], &weights.as_chunks::<32>().0[group]);
        let mut magnitudes = [0.0; 32];
        let mut group_signs = [0u8; 4];
        for k in 0..4 {
            let (m, s) = split_even(&x.as_chunks::<8>().0[k], &weights.as_chunks::<8>().0[k]);
            magnitudes.as_chunks_mut::<8>().0[k] = m;
            group_signs[k] = s;
        }
        let max = largest(&magnitudes);
        if max < NOTHING {
            continue;
        }
        let start = Fit { scale: max / 15.0, points: [0; 8] };
        let fit = lattice::fit::<V, _, _, _>(
            book,
            &Group { x: &magnitudes, weights },
            max,
            &TRIES,
            Again::Moved,
            start,
            &mut room,
        );
        scales[group] = fit.scale;
        if fit.scale < 0.0 {
            scales[group] = -fit.scale;
            group_signs = group_signs.map(|s| !s & 127);
        }
        for (index, point) in indices[8 * group..].iter_mut().zip(fit.points) {
            *index = book.index(point) as u8;
        }
        for k in 0..4 {
            signs[group] |= u32::from(group_signs[k]) << (7 * k);
        }
    }
    out.fill(0);
    let Some((d, codes)) = odd_codes(&scales, 15) else { return };
    out[..2].copy_from_slice(&f32_to_f16(d * FUDGE).to_le_bytes());
    out[2..2 + INDICES].copy_from_slice(&indices);
    for (i, out) in out[2 + INDICES..].as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *out = (signs[i] | u32::from(codes[i]) << 28).to_le_bytes();
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, ref rest @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let (indices, signs) = rest.split_at(INDICES);
    for (i, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let signs = u32::from_le_bytes(signs.as_chunks::<4>().0[i / 8]);
        let scale = d * (0.5 + (signs >> 28) as f32) * 0.5;
        let point = Codebook::<4>::coordinates(points::IQ3_XXS[usize::from(indices[i])]);
        let signs = complete((signs >> (7 * (i / 2 % 4))) as u8) >> (4 * (i % 2));
        *out = core::array::from_fn(|j| scale * VALUES[usize::from(point[j])] * factor(signs, j));
    }
}
