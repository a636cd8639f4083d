//! What Q4_K and Q5_K share: a super-block of eight groups of 32, x = d * s * q - dmin * m, with 6-bit s and m.

use super::requantize::requantize;
use super::six_bit_scales;
use super::{PAIR, Pair, SUPER};
use crate::fit::affine::{self, Search};
use crate::fit::{positive, power, powers, weigh};
use crate::lanes::{GROUPS, Lanes, groups, groups_mut};
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
pub(crate) fn quantize<V: Lanes>(search: &Search, x: &Pair) -> [Quantized; 2] {
    let spread = powers::<V, 32>(groups(x)).map(|sum| (sum / 32.0).sqrt());
    let mut weights = [0.0; PAIR];
    for (j, (weights, x)) in groups_mut(&mut weights).iter_mut().zip(groups::<32, PAIR>(x)).enumerate() {
        *weights = x.map(|v| spread[j] + v.abs());
    }
    let fit = affine::fit_groups::<V, 32>(search, groups(x), groups(&weights));
    let scales = [against_largest(half(&fit.scale, 0)), against_largest(half(&fit.scale, 1))];
    let minimums = [against_largest(half(&fit.offset, 0)), against_largest(half(&fit.offset, 1))];
    [
        finish::<V>(search, x, &fit, 0, &scales[0], &minimums[0]),
        finish::<V>(search, x, &fit, 1, &scales[1], &minimums[1]),
    ]
}

/// With importance: `clamp` says whether packed values are limited to 63 first (Q5_K does, Q4_K does not).
#[inline(always)]
pub(crate) fn quantize_weighted<V: Lanes>(
    search: &Search,
    x: &Pair,
    importance: [&[f32; SUPER]; 2],
    clamp: bool,
) -> [Quantized; 2] {
    let mut weights = [0.0; PAIR];
    for (k, weights) in weights.as_chunks_mut::<SUPER>().0.iter_mut().enumerate() {
        let x = &x.as_chunks::<SUPER>().0[k];
        *weights = weigh(x, importance[k], 2.0 * power(x) / SUPER as f32);
    }
    let fit = affine::fit_groups::<V, 32>(search, groups(x), groups(&weights));
    let (mut values, mut counts) = ([[0.0; 8]; GROUPS], [[0.0; 8]; GROUPS]);
    for k in 0..2 {
        (values[k], values[2 + k]) = (*half(&fit.scale, k), *half(&fit.offset, k));
        (counts[k], counts[2 + k]) = (*half(&fit.weight, k), *half(&fit.weight, k));
    }
    let outer = positive::fit_groups::<V, 8>(63, &values, &counts);
    let limit = if clamp { 63 } else { u8::MAX };
    let codes = |k: usize| (outer.scale[k], outer.levels[k].map(|code| code.min(limit)));
    let (scales, minimums) = ([codes(0), codes(1)], [codes(2), codes(3)]);
    [
        finish::<V>(search, x, &fit, 0, &scales[0], &minimums[0]),
        finish::<V>(search, x, &fit, 1, &scales[1], &minimums[1]),
    ]
}

/// The values of one super-block of a pair.
#[inline(always)]
fn half(values: &[f32; GROUPS], k: usize) -> &[f32; 8] {
    &values.as_chunks::<8>().0[k]
}

/// The scale that makes the largest value 63, and all values in its units.
#[inline(always)]
fn against_largest(values: &[f32; 8]) -> (f32, [u8; 8]) {
    let largest = values.iter().fold(0.0, |max, &v| if v > max { v } else { max });
    let inverse = if largest > 0.0 { 63.0 / largest } else { 0.0 };
    (largest / 63.0, values.map(|v| (nearest_int(inverse * v) as u8).min(63)))
}

/// Levels of super-block `k` of a pair, for the scales as they are stored.
#[inline(always)]
fn finish<V: Lanes>(
    search: &Search,
    x: &Pair,
    fit: &affine::Fit,
    k: usize,
    (d, scales): &(f32, [u8; 8]),
    (dmin, minimums): &(f32, [u8; 8]),
) -> Quantized {
    let packed = six_bit_scales::pack(scales, minimums);
    let halves = [V::to_half(*d), V::to_half(*dmin)];
    let (d, dmin) = (V::from_half(halves[0]), V::from_half(halves[1]));
    let (scales, minimums) = six_bit_scales::unpack(&packed);

    let mut levels = [0; SUPER];
    let of_this = &groups::<32, PAIR>(x)[8 * k..][..8];
    for (j, (x, levels)) in of_this.iter().zip(levels.as_chunks_mut::<32>().0).enumerate() {
        let scale = d * f32::from(scales[j]);
        // A scale that vanished keeps the levels of the search.
        *levels = if scale == 0.0 {
            fit.levels(search, 8 * k + j, x)
        } else {
            requantize::<V, 32>(x, dmin * f32::from(minimums[j]), scale, 0, search.top)
        };
    }

    let mut head = [0; HEAD];
    head[..2].copy_from_slice(&halves[0].to_le_bytes());
    head[2..4].copy_from_slice(&halves[1].to_le_bytes());
    head[4..].copy_from_slice(&packed);
    Quantized { head, levels }
}

/// Scales, and minimums, of the eight groups.
#[inline(always)]
pub(crate) fn read_head<V: Lanes>(head: &[u8; HEAD]) -> ([f32; 8], [f32; 8]) {
    let &[d0, d1, m0, m1, ref packed @ ..] = head;
    let d = V::from_half(u16::from_le_bytes([d0, d1]));
    let dmin = V::from_half(u16::from_le_bytes([m0, m1]));
    let (scales, minimums) = six_bit_scales::unpack(packed);
    (scales.map(|s| d * f32::from(s)), minimums.map(|m| dmin * f32::from(m)))
}
