//! What Q4_K and Q5_K share: a super-block of eight groups of 32, x = d * s * q - dmin * m, with 6-bit s and m.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::requantize::requantize;
use super::six_bit_scales;
use crate::fit::affine::{self, Search};
use crate::fit::{positive, power, total, weigh};
use crate::lanes::{Lanes, transpose};
use crate::round::nearest_int;

/// Bytes of the head: scale (2), scale of minimums (2), 6-bit scales and minimums (12).
pub(crate) const HEAD: usize = 2 + 2 + 12;

/// Scales and levels before packing.
pub(crate) struct Quantized {
    /// The first 16 bytes of the block.
    pub(crate) head: [u8; HEAD],
    /// One level per weight.
    pub(crate) levels: [u8; SUPER],
}

/// Without importance: each group weighs its own weights by root mean square plus magnitude, and the largest group
/// scale becomes 63.
#[inline(always)]
pub(crate) fn quantize(search: &Search, x: &[f32; SUPER]) -> Quantized {
    let lanes = transpose::<32, 8, SUPER>(x);
    let squares = lanes.iter().fold(Lanes::ZERO, |sum, &x| sum + x * x);
    let spread = squares.map(|sum| (sum / 32.0).sqrt()).0;
    let mut weights = [0.0; SUPER];
    for (j, (weights, x)) in weights.as_chunks_mut::<32>().0.iter_mut().zip(x.as_chunks::<32>().0).enumerate() {
        *weights = x.map(|v| spread[j] + v.abs());
    }
    let fit = affine::fit_groups::<32, 8, SUPER>(search, x, &weights);
    let (d, scales) = against_largest(&fit.scale);
    let (dmin, minimums) = against_largest(&fit.offset);
    finish(search, x, &fit, [d, dmin], &scales, &minimums)
}

/// With importance: `clamp` says whether packed values are limited to 63 first (Q5_K does, Q4_K does not).
#[inline(always)]
pub(crate) fn quantize_weighted(
    search: &Search,
    x: &[f32; SUPER],
    importance: &[f32; SUPER],
    clamp: bool,
) -> Quantized {
    let weights = weigh(x, importance, 2.0 * power(x) / SUPER as f32);
    let sums = total(&transpose::<32, 8, SUPER>(&weights)).0;
    let fit = affine::fit_groups::<32, 8, SUPER>(search, x, &weights);
    let (d, mut scales) = positive::fit(63, &fit.scale, &sums);
    let (dmin, mut minimums) = positive::fit(63, &fit.offset, &sums);
    if clamp {
        scales = scales.map(|s| s.min(63));
        minimums = minimums.map(|m| m.min(63));
    }
    finish(search, x, &fit, [d, dmin], &scales, &minimums)
}

/// The scale that makes the largest value 63, and all values in its units.
fn against_largest(values: &[f32; 8]) -> (f32, [u8; 8]) {
    let largest = values.iter().fold(0.0, |max, &v| if v > max { v } else { max });
    let inverse = if largest > 0.0 { 63.0 / largest } else { 0.0 };
    (largest / 63.0, values.map(|v| (nearest_int(inverse * v) as u8).min(63)))
}

#[inline(always)]
fn finish(
    search: &Search,
    x: &[f32; SUPER],
    fit: &affine::Fit<8>,
    scales_of_scales: [f32; 2],
    scales: &[u8; 8],
    minimums: &[u8; 8],
) -> Quantized {
    let packed = six_bit_scales::pack(scales, minimums);
    let halves = scales_of_scales.map(f32_to_f16);
    let [d, dmin] = halves.map(f16_to_f32);
    let (scales, minimums) = six_bit_scales::unpack(&packed);

    let mut levels = [0; SUPER];
    let groups = x.as_chunks::<32>().0.iter().zip(levels.as_chunks_mut::<32>().0);
    for (j, (x, levels)) in groups.enumerate() {
        let scale = d * f32::from(scales[j]);
        // A scale that vanished keeps the levels of the search.
        *levels = if scale == 0.0 {
            fit.levels(search, j, x)
        } else {
            requantize(x, dmin * f32::from(minimums[j]), scale, 0, search.top)
        };
    }

    let mut head = [0; HEAD];
    head[..2].copy_from_slice(&halves[0].to_le_bytes());
    head[2..4].copy_from_slice(&halves[1].to_le_bytes());
    head[4..].copy_from_slice(&packed);
    Quantized { head, levels }
}

/// Scale and minimum of each of the eight groups.
#[inline(always)]
pub(crate) fn read_head(head: &[u8; HEAD]) -> [(f32, f32); 8] {
    let &[d0, d1, m0, m1, ref packed @ ..] = head;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let dmin = f16_to_f32(u16::from_le_bytes([m0, m1]));
    let (scales, minimums) = six_bit_scales::unpack(packed);
    core::array::from_fn(|j| (d * f32::from(scales[j]), dmin * f32::from(minimums[j])))
}
