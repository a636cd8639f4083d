//! IQ2_XXS: eights of a book of 256 points with seven stored signs, x = d * (s + 1/2) / 4 * value, 4-bit s per 32.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{IQ2_VALUES, largest, odd_codes, weights};
use super::sign_bits::{complete, factor, split_even};
use crate::BlockType;
use crate::codebook::{Codebook, iq2_xxs_book, points};
use crate::fit::lattice::{self, Again, Fit, Group, Room, Tries};
use crate::fit::positive;
use crate::fit::symmetric::NOTHING;
use crate::lanes::{GROUPS, Lanes};

/// Bytes of a block: scale (2); per 32 weights four point indices (4), four times seven signs and the scale (4).
pub(crate) const BYTES: usize = 2 + SUPER / 4;
const _: () = assert!(BYTES == BlockType::IQ2_XXS.block_bytes());

const TRIES: Tries = Tries::new(5.0, 6, 0.1);

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: &[f32; SUPER], out: &mut [u8; BYTES]) {
    let book = iq2_xxs_book();
    let weights = weights(x, importance, 1.0);
    let mut room = Room::new();
    let (mut scales, mut indices, mut signs) = ([0.0; 8], [[0u8; 4]; 8], [0u32; 8]);
    let (mut magnitudes, mut group_signs) = ([[0.0; 32]; GROUPS], [[0u8; 4]; 8]);
    let mut counts = [[0.0; 32]; GROUPS];
    for group in 0..8 {
        counts[group] = weights.as_chunks::<32>().0[group];
        let (x, weights) = (&x.as_chunks::<32>().0[group], &counts[group]);
        for k in 0..4 {
            let (m, s) = split_even(&x.as_chunks::<8>().0[k], &weights.as_chunks::<8>().0[k]);
            magnitudes[group].as_chunks_mut::<8>().0[k] = m;
            group_signs[group][k] = s;
        }
    }
    let starts = positive::fit_groups::<V, 32>(4, &magnitudes, &counts);
    for group in 0..8 {
        let (magnitudes, weights, mut group_signs) = (&magnitudes[group], &counts[group], group_signs[group]);
        if largest(magnitudes) < NOTHING {
            continue;
        }
        let eights = starts.levels[group].as_chunks::<8>().0;
        let places: [u16; 4] = core::array::from_fn(|k| Codebook::pack(&eights[k]));
        let start = Fit { scale: starts.scale[group], points: places };
        let effective = start.scale * 3.0;
        if effective <= 0.0 {
            continue;
        }
        let group_of = Group { x: magnitudes, weights };
        let fit = lattice::fit::<V, _, _, _>(book, &group_of, effective, &TRIES, Again::All, start, &mut room);
        scales[group] = fit.scale;
        if fit.scale < 0.0 {
            scales[group] = -fit.scale;
            group_signs = group_signs.map(|s| !s & 127);
        }
        for k in 0..4 {
            indices[group][k] = book.index(fit.points[k]) as u8;
            signs[group] |= u32::from(group_signs[k]) << (7 * k);
        }
    }
    out.fill(0);
    let Some((d, codes)) = odd_codes(&scales, 15) else { return };
    let (head, groups) = out.split_at_mut(2);
    head.copy_from_slice(&f32_to_f16(d).to_le_bytes());
    for (i, group) in groups.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        group[..4].copy_from_slice(&indices[i]);
        group[4..].copy_from_slice(&(signs[i] | u32::from(codes[i]) << 28).to_le_bytes());
    }
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, ref groups @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    for (group, out) in groups.as_chunks::<8>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let signs = u32::from_le_bytes([group[4], group[5], group[6], group[7]]);
        let scale = d * (0.5 + (signs >> 28) as f32) * 0.25;
        for (k, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let point = Codebook::<8>::coordinates(points::IQ2_XXS[usize::from(group[k])]);
            let signs = complete((signs >> (7 * k)) as u8);
            *out = core::array::from_fn(|i| scale * IQ2_VALUES[usize::from(point[i] & 3)] * factor(signs, i));
        }
    }
}
