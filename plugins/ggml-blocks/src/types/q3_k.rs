//! Q3_K: sixteen groups of 16, x = d * (s - 32) * (q - 4), with 6-bit s; third bits apart from the low two.

use super::SUPER;
use super::requantize::requantize;
use super::two_bit_planes;
use crate::BlockType;
use crate::fit::{descent, powers_of_rows, symmetric, totals, weigh};
use crate::lanes::{self, Lanes, groups};
use crate::round::nearest_int;

/// Groups of 16 weights.
const GROUPS: usize = SUPER / 16;
/// Bytes of third bits.
const HIGH: usize = SUPER / 8;
/// A bit in each of eight bytes, which are shifted together: bytes have no vector shift.
const ONES: u64 = 0x0101_0101_0101_0101;
/// Bytes of low bits.
const LOW: usize = SUPER / 4;
/// Bytes of a block: third bits (32), low bits (64), 6-bit scales (12), scale (2).
pub(crate) const BYTES: usize = HIGH + LOW + 12 + 2;
const _: () = assert!(BYTES == BlockType::Q3_K.block_bytes());

/// Up to [`descent::SUPERS`] super-blocks without importance: coordinate descent per group; the group scale of largest magnitude
/// becomes -32.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[[f32; SUPER]], out: &mut [[u8; BYTES]]) {
    let mut scales = [[0.0; GROUPS]; descent::SUPERS];
    descent::fit_scales::<V, 16>(4, x.as_flattened().as_chunks().0, scales.as_flattened_mut());
    for ((x, out), scales) in x.iter().zip(out).zip(&scales) {
        let extreme = scales.iter().fold(0.0f32, |kept, &v| if v.abs() > kept.abs() { v } else { kept });
        let (d, codes) = if extreme != 0.0 {
            let inverse = -32.0 / extreme;
            (1.0 / inverse, scales.map(|v| ((nearest_int(inverse * v) as i8).clamp(-32, 31) + 32) as u8))
        } else {
            (0.0, [0; GROUPS])
        };
        // A block without scale stores zero bytes, which read back as scale -32 times d = 0.
        store::<V>(x, d, &codes, |_, x| descent::levels(4, x), out);
    }
}

/// Up to sixteen super-blocks under importance.
#[inline(always)]
pub(crate) fn encode_weighted<V: Lanes>(
    x: &[[f32; SUPER]],
    importance: &[&[f32; SUPER]; lanes::GROUPS],
    out: &mut [[u8; BYTES]],
) {
    let powers = powers_of_rows::<V>(x.as_flattened(), SUPER);
    let mut fits = [const { symmetric::Fit::NONE }; lanes::GROUPS];
    let (mut scales, mut counts) = ([[0.0; GROUPS]; lanes::GROUPS], [[0.0; GROUPS]; lanes::GROUPS]);
    for (k, x) in x.iter().enumerate() {
        let weights = weigh(x, importance[k], 2.0 * powers[k] / SUPER as f32);
        fits[k] = symmetric::fit_groups::<V, 16>(4, groups(x), Some(groups(&weights)));
        (scales[k], counts[k]) = (fits[k].scale, totals::<V, 16>(groups(&weights)));
    }
    let outer = symmetric::fit_groups::<V, GROUPS>(32, &scales, Some(&counts));
    for (k, (x, out)) in x.iter().zip(out).enumerate() {
        let codes = outer.levels::<V, 16>(k, &scales[k], 32);
        store::<V>(x, outer.scale[k], &codes, |j, x| fits[k].levels::<V, 16>(j, x, 4), out);
    }
}

#[inline(always)]
fn store<V: Lanes>(
    x: &[f32; SUPER],
    d: f32,
    codes: &[u8; GROUPS],
    searched: impl Fn(usize, &[f32; 16]) -> [u8; 16],
    out: &mut [u8; BYTES],
) {
    let half = V::to_half(d);
    let d = V::from_half(half);
    let mut levels = [0; SUPER];
    for (j, (x, levels)) in x.as_chunks::<16>().0.iter().zip(levels.as_chunks_mut::<16>().0).enumerate() {
        let scale = d * (i32::from(codes[j]) - 32) as f32;
        *levels = if scale == 0.0 { searched(j, x) } else { requantize::<V, 16>(x, 0.0, scale, -4, 3) };
    }
    let mut high = [0u64; HIGH / 8];
    for (g, levels) in levels.as_chunks::<HIGH>().0.iter().enumerate() {
        for (high, eight) in high.iter_mut().zip(levels.as_chunks::<8>().0) {
            *high |= (u64::from_le_bytes(*eight) >> 2 & ONES) << g;
        }
    }
    out[..HIGH].copy_from_slice(high.map(u64::to_le_bytes).as_flattened());
    two_bit_planes::pack(&levels, &mut out[HIGH..HIGH + LOW]);
    out[HIGH + LOW..BYTES - 2].copy_from_slice(&pack_codes(codes));
    out[BYTES - 2..].copy_from_slice(&half.to_le_bytes());
}

/// Low nibbles of codes j and j + 8 share byte j; the upper two bits of codes j, j + 4, j + 8, j + 12 share byte 8 + j.
fn pack_codes(codes: &[u8; GROUPS]) -> [u8; 12] {
    let mut packed = [0; 12];
    for j in 0..8 {
        packed[j] = (codes[j] & 15) | codes[j + 8] << 4;
    }
    for j in 0..4 {
        packed[8 + j] = codes[j] >> 4 | codes[j + 4] >> 4 << 2 | codes[j + 8] >> 4 << 4 | codes[j + 12] >> 4 << 6;
    }
    packed
}

fn unpack_codes(packed: &[u8]) -> [u8; GROUPS] {
    core::array::from_fn(|j| {
        let low = if j < 8 { packed[j] & 15 } else { packed[j - 8] >> 4 };
        low | ((packed[8 + j % 4] >> (2 * (j / 4))) & 3) << 4
    })
}

#[inline(always)]
pub(crate) fn decode<V: Lanes>(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[ref head @ .., d0, d1] = block;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let codes = unpack_codes(&head[HIGH + LOW..]);
    let mut levels = two_bit_planes::unpack(&head[HIGH..HIGH + LOW]);
    for (g, levels) in levels.as_chunks_mut::<HIGH>().0.iter_mut().enumerate() {
        for (levels, high) in levels.as_chunks_mut::<8>().0.iter_mut().zip(head.as_chunks::<8>().0) {
            let bits = (u64::from_le_bytes(*high) >> g & ONES) << 2;
            *levels = (u64::from_le_bytes(*levels) | bits).to_le_bytes();
        }
    }
    for (j, (levels, out)) in levels.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0).enumerate() {
        let scale = d * (i32::from(codes[j]) - 32) as f32;
        *out = levels.map(|q| scale * (i32::from(q) - 4) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bit_codes_survive() {
        let codes = core::array::from_fn(|j| (j * 37 % 64) as u8);
        assert_eq!(unpack_codes(&pack_codes(&codes)), codes);
    }
}
