//! IQ2_XS: eights of a book of 512 points with seven stored signs, x = d * (s + 1/2) / 4 * value, 4-bit s per 16.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{IQ2_VALUES, largest, odd_codes, pack_codes, weights};
use super::sign_bits::{complete, factor, split_even};
use crate::BlockType;
use crate::codebook::{Codebook, iq2_xs_book, points};
use crate::fit::lattice::{self, Again, Fit, Group, Room, Tries};
use crate::fit::symmetric::NOTHING;
use crate::lanes::Lanes;

/// Bytes of eights: nine bits of index, seven of signs each.
const EIGHTS: usize = SUPER / 4;
/// Bytes of a block: scale (2), eights (64), 4-bit scales (8).
pub(crate) const BYTES: usize = 2 + EIGHTS + 8;
const _: () = assert!(BYTES == BlockType::IQ2_XS.block_bytes());

pub(crate) const TRIES: Tries = Tries::new(5.0, 9, 0.1);

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: &[f32; SUPER], out: &mut [u8; BYTES]) {
    let book = iq2_xs_book();
    let weights = weights(x, importance, 1.0);
    let mut room = Room::new();
    let (mut scales, mut eights) = ([0.0; 16], [[0u16; 2]; 16]);
    for group in 0..16 {
        let (x, weights) = (&x.as_chunks::<16>().0[group], &weights.as_chunks::<16>().0[group]);
        let mut magnitudes = [0.0; 16];
        let mut signs = [0u8; 2];
        for k in 0..2 {
            let (m, s) = split_even(&x.as_chunks::<8>().0[k], &weights.as_chunks::<8>().0[k]);
            magnitudes.as_chunks_mut::<8>().0[k] = m;
            signs[k] = s;
        }
        let max = largest(&magnitudes);
        if max < NOTHING {
            continue;
        }
        let start = Fit { scale: max / 5.0, points: [0; 2] };
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
            signs = signs.map(|s| !s & 127);
        }
        for k in 0..2 {
            eights[group][k] = book.index(fit.points[k]) | u16::from(signs[k]) << 9;
        }
    }
    out.fill(0);
    let Some((d, codes)) = odd_codes(&scales, 15) else { return };
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    for (out, eight) in out[2..].as_chunks_mut::<2>().0.iter_mut().zip(eights.as_flattened()) {
        *out = eight.to_le_bytes();
    }
    pack_codes(&codes, &mut out[2 + EIGHTS..]);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, ref rest @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let (eights, codes) = rest.split_at(EIGHTS);
    for (k, (eight, out)) in eights.as_chunks::<2>().0.iter().zip(out.as_chunks_mut::<8>().0).enumerate() {
        let eight = u16::from_le_bytes(*eight);
        let code = (codes[k / 4] >> (4 * (k / 2 % 2))) & 15;
        let scale = d * (0.5 + f32::from(code)) * 0.25;
        let point = Codebook::<8>::coordinates(points::IQ2_XS[usize::from(eight & 511)]);
        let signs = complete((eight >> 9) as u8);
        *out = core::array::from_fn(|i| scale * IQ2_VALUES[usize::from(point[i] & 3)] * factor(signs, i));
    }
}
