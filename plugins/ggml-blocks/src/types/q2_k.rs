//! Q2_K: sixteen groups of 16, x = d * s * q - dmin * m, with 4-bit s and m in one byte per group.

use super::SUPER;
use super::f16::{f16_to_f32, f32_to_f16};
use super::requantize::requantize;
use super::two_bit_planes;
use crate::BlockType;
use crate::fit::affine::{self, Fit, Search};
use crate::fit::{positive, powers_of_rows, weigh};
use crate::lanes::{self, Lanes, groups};
use crate::round::nearest_int;

/// Groups of 16 weights.
const GROUPS: usize = SUPER / 16;
/// Bytes of 2-bit levels.
const LEVELS: usize = SUPER / 4;
/// Bytes of a block: scales and minimums (16), levels (64), scale (2), scale of minimums (2).
pub(crate) const BYTES: usize = GROUPS + LEVELS + 2 + 2;
const _: () = assert!(BYTES == BlockType::Q2_K.block_bytes());

const PLAIN: Search = Search { top: 3, first: -0.5, step: 0.1, steps: 15, absolute: true };
const WEIGHTED: Search = Search { top: 3, first: -0.9, step: 0.05, steps: 36, absolute: false };

/// Without importance: absolute errors weighed by magnitude; the largest group scale becomes 15.
#[inline(always)]
pub(crate) fn encode<V: Lanes>(x: &[[f32; SUPER]], out: &mut [[u8; BYTES]]) {
    for (x, out) in x.iter().zip(out) {
        let fit = affine::fit_groups::<V, 16>(&PLAIN, groups(x), groups(&x.map(f32::abs)));
        let (d, scales) = against_largest(&fit.scale);
        let (dmin, minimums) = against_largest(&fit.offset);
        let codes = core::array::from_fn(|j| scales[j] as u8 | (minimums[j] << 4) as u8);
        store::<V>(&PLAIN, x, &fit, [d, dmin], codes, out);
    }
}

/// Super-blocks whose scales and minimums are fitted side by side.
const BESIDE: usize = lanes::GROUPS / 2;

/// Up to sixteen super-blocks under importance.
#[inline(always)]
pub(crate) fn encode_weighted<V: Lanes>(
    x: &[[f32; SUPER]],
    importance: &[&[f32; SUPER]; lanes::GROUPS],
    out: &mut [[u8; BYTES]],
) {
    let powers = powers_of_rows::<V>(x.as_flattened(), SUPER);
    let importance = importance.chunks(BESIDE).zip(powers.chunks(BESIDE));
    for ((x, out), (importance, powers)) in x.chunks(BESIDE).zip(out.chunks_mut(BESIDE)).zip(importance) {
        let mut fits = [const { Fit::NONE }; BESIDE];
        let (mut values, mut counts) = ([[0.0; GROUPS]; lanes::GROUPS], [[0.0; GROUPS]; lanes::GROUPS]);
        for (k, x) in x.iter().enumerate() {
            let weights = weigh(x, importance[k], powers[k] / SUPER as f32);
            fits[k] = affine::fit_groups::<V, 16>(&WEIGHTED, groups(x), groups(&weights));
            (values[2 * k], values[2 * k + 1]) = (fits[k].scale, fits[k].offset);
            (counts[2 * k], counts[2 * k + 1]) = (fits[k].weight, fits[k].weight);
        }
        let outer = positive::fit_groups::<V, GROUPS>(15, &values, &counts);
        for (k, (x, out)) in x.iter().zip(out).enumerate() {
            let (scales, minimums) = (outer.levels[2 * k], outer.levels[2 * k + 1]);
            let scales_of_scales = [outer.scale[2 * k], outer.scale[2 * k + 1]];
            let codes = core::array::from_fn(|j| scales[j] | minimums[j] << 4);
            store::<V>(&WEIGHTED, x, &fits[k], scales_of_scales, codes, out);
        }
    }
}

/// The scale that makes the largest value 15, and all values in its units, unclamped.
#[inline(always)]
fn against_largest(values: &[f32; GROUPS]) -> (f32, [i32; GROUPS]) {
    let largest = values.iter().fold(0.0, |max, &v| if v > max { v } else { max });
    if largest > 0.0 {
        let inverse = 15.0 / largest;
        (largest / 15.0, values.map(|v| nearest_int(inverse * v)))
    } else {
        (0.0, [0; GROUPS])
    }
}

#[inline(always)]
fn store<V: Lanes>(
    search: &Search,
    x: &[f32; SUPER],
    fit: &Fit,
    scales_of_scales: [f32; 2],
    scales: [u8; GROUPS],
    out: &mut [u8; BYTES],
) {
    let halves = scales_of_scales.map(f32_to_f16);
    let [d, dmin] = halves.map(f16_to_f32);
    let mut levels = [0; SUPER];
    for (j, (x, levels)) in x.as_chunks::<16>().0.iter().zip(levels.as_chunks_mut::<16>().0).enumerate() {
        let scale = d * f32::from(scales[j] & 15);
        *levels = if scale == 0.0 {
            fit.levels(search, j, x)
        } else {
            requantize::<V, 16>(x, dmin * f32::from(scales[j] >> 4), scale, 0, search.top)
        };
    }
    out[..GROUPS].copy_from_slice(&scales);
    two_bit_planes::pack(&levels, &mut out[GROUPS..GROUPS + LEVELS]);
    out[GROUPS + LEVELS..BYTES - 2].copy_from_slice(&halves[0].to_le_bytes());
    out[BYTES - 2..].copy_from_slice(&halves[1].to_le_bytes());
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let &[ref head @ .., d0, d1, m0, m1] = block;
    let d = f16_to_f32(u16::from_le_bytes([d0, d1]));
    let dmin = f16_to_f32(u16::from_le_bytes([m0, m1]));
    let levels = two_bit_planes::unpack(&head[GROUPS..]);
    for (j, (levels, out)) in levels.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0).enumerate() {
        let (scale, minimum) = (d * f32::from(head[j] & 15), dmin * f32::from(head[j] >> 4));
        *out = levels.map(|q| scale * f32::from(q) - minimum);
    }
}
