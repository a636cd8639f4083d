//! IQ3_S: fours of a book of 512 points, all signs stored, x = d * (2 * s + 1) * value, 4-bit s per 32.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::lattice_super::{largest, odd_codes, pack_codes, weights};
use super::sign_bits::{factor, split};
use crate::BlockType;
use crate::codebook::{Codebook, iq3_s_book, points};
use crate::fit::lattice::{self, Again, Fit, Group, Room, Tries};
use crate::lanes::Lanes;

/// Where the parts of a block start: scale (2), low index bytes (64), ninth bits (8), signs (32), 4-bit scales (4).
const LOW: usize = 2;
const HIGH: usize = LOW + SUPER / 4;
const SIGNS: usize = HIGH + SUPER / 32;
const SCALES: usize = SIGNS + SUPER / 8;
/// Bytes of a block.
pub(crate) const BYTES: usize = SCALES + 4;
const _: () = assert!(BYTES == BlockType::IQ3_S.block_bytes());

const TRIES: Tries = Tries::new(15.0, 9, 0.2);
/// The reference stores this much more than the scale that it found.
const FUDGE: f32 = 1.033;

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: Option<&[f32; SUPER]>, out: &mut [u8; BYTES]) {
    let book = iq3_s_book();
    let weights = match importance {
        Some(importance) => weights(x, importance, 2.0),
        None => x.map(|v| v * v),
    };
    out.fill(0);
    let mut room = Room::new();
    let mut scales = [0.0; 8];
    // The reference leaves no room for a group of zeros: the groups after it move up, and no longer fit their scales.
    let mut place = 0;
    for group in 0..8 {
        let (x, weights) = (&x.as_chunks::<32>().0[group], &weights.as_chunks::<32>().0[group]);
        let mut magnitudes = [0.0; 32];
        let mut signs = [0u8; 4];
        for k in 0..4 {
            let (m, s) = split(&x.as_chunks::<8>().0[k]);
            magnitudes.as_chunks_mut::<8>().0[k] = m;
            signs[k] = s;
        }
        let max = largest(&magnitudes);
        if max == 0.0 {
            continue;
        }
        let start = Fit { scale: max / 15.0, points: [0; 8] };
        let fit = lattice::fit::<V, _, _, _>(
            book,
            &Group { x: &magnitudes, weights },
            max,
            &TRIES,
            Again::AllIfAnyMoved,
            start,
            &mut room,
        );
        scales[group] = fit.scale;
        if fit.scale < 0.0 {
            scales[group] = -fit.scale;
            signs = signs.map(|s| !s);
        }
        for (k, point) in fit.points.into_iter().enumerate() {
            let index = book.index(point);
            out[LOW + 8 * place + k] = index as u8;
            out[HIGH + group] |= ((index >> 8) << k) as u8;
        }
        out[SIGNS + 4 * place..][..4].copy_from_slice(&signs);
        place += 1;
    }
    let Some((d, codes)) = odd_codes(&scales, 15) else { return };
    out[..2].copy_from_slice(&f32_to_f16(d * FUDGE).to_le_bytes());
    pack_codes(&codes, &mut out[SCALES..]);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let d = f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
    for (i, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let group = i / 8;
        let code = (block[SCALES + group / 2] >> (4 * (group % 2))) & 15;
        let scale = d * f32::from(1 + 2 * code);
        let high = u16::from(block[HIGH + group] >> (i % 8)) & 1;
        let index = u16::from(block[LOW + i]) | high << 8;
        let point = Codebook::<4>::coordinates(points::IQ3_S[usize::from(index)]);
        let signs = block[SIGNS + i / 2] >> (4 * (i % 2));
        *out = core::array::from_fn(|j| scale * f32::from(2 * point[j] + 1) * factor(signs, j));
    }
}
