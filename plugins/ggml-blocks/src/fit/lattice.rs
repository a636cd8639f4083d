//! Scale of a group whose weights, in small groups of `N`, must be points of a codebook: x ~ scale * (2 * c + 1).
//!
//! For every inverse scale (2 * LEVELS - 1 - 2 + step * k) / max the weights are rounded to coordinates; a small group
//! that is no point of the book becomes the near point of least error, weighed by the root of the weights. The scale
//! with the largest (sum w x q)^2 / sum(w q q) wins, a later one only if strictly larger. Small groups that were moved
//! to a near point are then placed once more with the winning scale.

use crate::codebook::{Codebook, Found};
use crate::lanes::{Lanes, Mask};
use crate::round::{NEAREST_LIMIT, nearest_int};

/// Tries whose sums are taken side by side; a multiple of all numbers of lanes.
const SIDE: usize = crate::lanes::GROUPS;

/// A group of weights without their signs, and what each counts.
pub(crate) struct Group<'a, const W: usize> {
    pub(crate) x: &'a [f32; W],
    pub(crate) weights: &'a [f32; W],
}

/// Which inverse scales are tried.
pub(crate) struct Tries {
    /// k goes from minus this to this.
    pub(crate) reach: i32,
    pub(crate) step: f32,
}

/// Which small groups are placed once more with the winning scale.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Those that were no points; none if all were.
    Moved,
    /// All, if any was no point.
    AllIfAnyMoved,
    /// All.
    All,
}

/// Scale of a group and the packed points of its small groups.
#[derive(Clone)]
pub(crate) struct Fit<const E: usize> {
    pub(crate) scale: f32,
    pub(crate) points: [u16; E],
}

/// Fits a group whose largest weight is `max`; `start` is the answer if no try is better than nothing.
///
/// A try does not depend on the ones before it, so sixteen tries are rounded, and their sums taken, side by side.
#[inline(always)]
pub(crate) fn fit<V: Lanes, const N: usize, const W: usize, const E: usize>(
    book: &Codebook<N>,
    group: &Group<W>,
    max: f32,
    tries: &Tries,
    again: Again,
    start: Fit<E>,
) -> Fit<E> {
    const { assert!(E * N == W) };
    let roots = group.weights.map(f32::sqrt);
    let top = (2 * Codebook::<N>::LEVELS - 1) as f32;
    let mut products = [0.0; W];
    for i in 0..W {
        products[i] = group.weights[i] * group.x[i];
    }
    let mut kept = start;
    // A bit per small group.
    let mut kept_moved = 0u32;
    let mut best = 0.0;
    let count = (2 * tries.reach + 1) as usize;
    for first in (0..count).step_by(SIDE) {
        let (mut inverses, mut scales) = ([0.0; SIDE], [0.0; SIDE]);
        for side in 0..SIDE {
            let k = (first + side) as i32 - tries.reach;
            inverses[side] = (top + k as f32 * tries.step) / max;
            scales[side] = 1.0 / inverses[side];
        }
        let some = SIDE.min(count - first);
        let mut points = places::<V, N, W, E>(group.x, &inverses);
        let mut moved = [0u32; SIDE];
        for e in 0..E {
            let (x, roots) = (small(group.x, e), small(&roots, e));
            for side in 0..some {
                let place = points[e][side];
                if let Found::Near(near) = book.find(place) {
                    points[e][side] = nearest::<V, N>(x, roots, scales[side], near);
                    moved[side] |= 1 << e;
                }
            }
        }
        let (mut sums_qx, mut sums_qq) = ([0.0; SIDE], [0.0; SIDE]);
        for at in (0..SIDE).step_by(V::COUNT) {
            let (mut sum_qx, mut sum_qq) = (V::splat(0.0), V::splat(0.0));
            for i in 0..W {
                let q = V::odd_coordinates::<N>(&points[i / N][at..], i % N);
                sum_qx = sum_qx + V::splat(products[i]) * q;
                sum_qq = sum_qq + V::splat(group.weights[i]) * q * q;
            }
            sum_qx.store(&mut sums_qx[at..]);
            sum_qq.store(&mut sums_qq[at..]);
        }
        for side in 0..some {
            let (sum_qx, sum_qq) = (sums_qx[side], sums_qq[side]);
            if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
                kept.scale = sum_qx / sum_qq;
                best = kept.scale * sum_qx;
                kept_moved = moved[side];
                for e in 0..E {
                    kept.points[e] = points[e][side];
                }
            }
        }
    }
    if kept.scale > 0.0 && (kept_moved != 0 || again == Again::All) {
        let mut rounded = [0; W];
        round(group.x, 1.0 / kept.scale, Codebook::<N>::LEVELS, &mut rounded);
        for e in 0..E {
            if kept_moved >> e & 1 != 0 || again != Again::Moved {
                let place = Codebook::pack(&rounded.as_chunks::<N>().0[e]);
                kept.points[e] = match book.find(place) {
                    Found::Point => place,
                    Found::Near(near) => nearest::<V, N>(small(group.x, e), small(&roots, e), kept.scale, near),
                };
            }
        }
        let (sum_qx, sum_qq) = sums::<N, W, E>(group, &kept.points);
        if sum_qq > 0.0 {
            kept.scale = sum_qx / sum_qq;
        }
    }
    kept
}

/// The packed places of the small groups under each of the inverse scales.
#[inline(always)]
fn places<V: Lanes, const N: usize, const W: usize, const E: usize>(
    x: &[f32; W],
    inverses: &[f32; SIDE],
) -> [[u16; SIDE]; E] {
    let mut places = [[0; SIDE]; E];
    for at in (0..SIDE).step_by(V::COUNT) {
        if !places_in_lanes::<V, N, W, E, false>(x, inverses, at, &mut places) {
            places_in_lanes::<V, N, W, E, true>(x, inverses, at, &mut places);
        }
    }
    places
}

/// As `places`, in the lanes from `at` on. False if rounding may have wrapped.
#[inline(always)]
fn places_in_lanes<V: Lanes, const N: usize, const W: usize, const E: usize, const WRAPPING: bool>(
    x: &[f32; W],
    inverses: &[f32; SIDE],
    at: usize,
    places: &mut [[u16; SIDE]; E],
) -> bool {
    /// Adding it leaves a whole number below 2^16 in the low bits.
    const WHOLE: f32 = 8_388_608.0;
    let (half, one, zero) = (V::splat(0.5), V::splat(1.0), V::splat(0.0));
    let (highest, limit) = (V::splat((Codebook::<N>::LEVELS - 1) as f32), V::splat(NEAREST_LIMIT));
    let inverse = V::load(&inverses[at..]);
    let mut in_range = zero.eq(zero);
    for e in 0..E {
        let (mut place, mut unit) = (V::splat(WHOLE), 1.0);
        for x in small::<N, W>(x, e) {
            let v = half * (inverse * V::splat(*x) - one);
            in_range = in_range.and(v.abs().le(limit));
            let level = if WRAPPING { v.nearest_wrapping() } else { v.nearest() };
            place = place + level.max(zero).min(highest) * V::splat(unit);
            unit *= Codebook::<N>::UNIT;
        }
        let mut lanes = [0.0; SIDE];
        place.store(&mut lanes);
        for lane in 0..V::COUNT {
            places[e][at + lane] = lanes[lane].to_bits() as u16;
        }
    }
    !zero.eq(zero).without(in_range).any()
}

#[inline(always)]
fn small<const N: usize, const W: usize>(values: &[f32; W], i: usize) -> &[f32; N] {
    &values.as_chunks::<N>().0[i]
}

/// Rounds weights to coordinates.
#[inline(always)]
fn round<const W: usize>(x: &[f32; W], inverse: f32, levels: usize, out: &mut [u8; W]) {
    for i in 0..W {
        out[i] = nearest_int(0.5 * (inverse * x[i] - 1.0)).clamp(0, levels as i32 - 1) as u8;
    }
}

/// The near point of least error.
#[inline(always)]
fn nearest<V: Lanes, const N: usize>(x: &[f32; N], roots: &[f32; N], scale: f32, near: &[u16]) -> u16 {
    let mut values = [0.0; 8];
    for (c, value) in values.iter_mut().enumerate() {
        // Coordinates of eights have two bits: their table stands here twice.
        *value = scale * (2 * if N == 8 { c % 4 } else { c } + 1) as f32;
    }
    V::nearest_point(x, roots, &values, near)
}

/// sum(w x q) and sum(w q q) for q = 2 * c + 1.
#[inline(always)]
fn sums<const N: usize, const W: usize, const E: usize>(group: &Group<W>, points: &[u16; E]) -> (f32, f32) {
    let (mut sum_qx, mut sum_qq) = (0.0, 0.0);
    for (e, &point) in points.iter().enumerate() {
        for (i, c) in Codebook::<N>::coordinates(point).into_iter().enumerate() {
            let (weight, q) = (group.weights[N * e + i], f32::from(2 * c + 1));
            sum_qx += weight * group.x[N * e + i] * q;
            sum_qq += weight * q * q;
        }
    }
    (sum_qx, sum_qq)
}
