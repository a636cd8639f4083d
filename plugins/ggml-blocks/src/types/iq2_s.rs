//! IQ2_S: eights of a book of 1024 points with eight signs, x = d * (s + 1/2) / 4 * value, 4-bit s per 16.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::iq2_xs::TRIES;
use super::lattice_super::{IQ2_VALUES, largest, odd_codes, pack_codes, weights};
use super::sign_bits::{factor, split};
use crate::BlockType;
use crate::codebook::{Codebook, iq2_s_book, points};
use crate::fit::lattice::{self, Again, Fit, Group, Room};
use crate::fit::power;
use crate::lanes::Lanes;

/// Eights of a block.
const EIGHTS: usize = SUPER / 8;
/// Bytes of a block: scale (2), low index bytes (32), signs (32), two high bits of the indices (8), 4-bit scales (8).
pub(crate) const BYTES: usize = 2 + EIGHTS + EIGHTS + 8 + 8;
const _: () = assert!(BYTES == BlockType::IQ2_S.block_bytes());

/// A group with no weight of at least this magnitude counts as all zero.
const NOTHING: f32 = 1e-8;
/// The reference stores this much less than the scale that it found.
const FUDGE: f32 = 0.9875;

#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[f32; SUPER], importance: Option<&[f32; SUPER]>, out: &mut [u8; BYTES]) {
    let book = iq2_s_book();
    let weights = match importance {
        Some(importance) => weights(x, importance, 2.0),
        None => {
            let sigma2 = 2.0 * power(x) / SUPER as f32;
            x.map(|v| 0.25 * sigma2 + v * v)
        }
    };
    out.fill(0);
    let mut room = Room::new();
    let mut scales = [0.0; 16];
    for group in 0..16 {
        let (x, weights) = (&x.as_chunks::<16>().0[group], &weights.as_chunks::<16>().0[group]);
        let mut magnitudes = [0.0; 16];
        let mut signs = [0u8; 2];
        for k in 0..2 {
            let (m, s) = split(&x.as_chunks::<8>().0[k]);
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
            signs = signs.map(|s| !s);
        }
        for k in 0..2 {
            let index = book.index(fit.points[k]);
            let at = 2 * group + k;
            out[2 + at] = index as u8;
            out[2 + EIGHTS + at] = signs[k];
            out[2 + 2 * EIGHTS + at / 4] |= ((index >> 8) << (2 * (at % 4))) as u8;
        }
    }
    let Some((d, codes)) = odd_codes(&scales, 15) else { return };
    out[..2].copy_from_slice(&f32_to_f16(d * FUDGE).to_le_bytes());
    pack_codes(&codes, &mut out[2 + 2 * EIGHTS + 8..]);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[d0, d1, ref rest @ ..] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    for (k, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let high = u16::from(rest[2 * EIGHTS + k / 4] >> (2 * (k % 4))) & 3;
        let code = (rest[2 * EIGHTS + 8 + k / 4] >> (4 * (k / 2 % 2))) & 15;
        let scale = d * (0.5 + f32::from(code)) * 0.25;
        let point = Codebook::<8>::coordinates(points::IQ2_S[usize::from(u16::from(rest[k]) | high << 8)]);
        let signs = rest[EIGHTS + k];
        *out = core::array::from_fn(|i| scale * IQ2_VALUES[usize::from(point[i] & 3)] * factor(signs, i));
    }
}
