//! Scale of a group whose weights, in small groups of `N`, must be points of a codebook: x ~ scale * (2 * c + 1).
//!
//! For every inverse scale (2 * LEVELS - 1 - 2 + step * k) / max the weights are rounded to coordinates; a small group
//! that is no point of the book becomes the near point of least error, weighed by the root of the weights. The scale
//! with the largest (sum w x q)^2 / sum(w q q) wins, a later one only if strictly larger. Small groups that were moved
//! to a near point are then placed once more with the winning scale.

use crate::codebook::{Codebook, Found};
use crate::lanes::Lanes;
use crate::round::nearest_int;

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

/// Scale and coordinates of a group.
#[derive(Clone)]
pub(crate) struct Fit<const W: usize> {
    pub(crate) scale: f32,
    pub(crate) coordinates: [u8; W],
}

/// Fits a group whose largest weight is `max`; `start` is the answer if no try is better than nothing.
///
/// A try does not depend on the ones before it, so the sums of sixteen tries are taken side by side.
#[inline(always)]
pub(crate) fn fit<V: Lanes, const N: usize, const W: usize>(
    book: &Codebook<N>,
    group: &Group<W>,
    max: f32,
    tries: &Tries,
    again: Again,
    start: Fit<W>,
) -> Fit<W> {
    let roots = group.weights.map(f32::sqrt);
    let top = (2 * Codebook::<N>::LEVELS - 1) as f32;
    let mut products = [0.0; W];
    for i in 0..W {
        products[i] = group.weights[i] * group.x[i];
    }
    let mut kept = start;
    let mut kept_moved = [false; W];
    let mut best = 0.0;
    let count = (2 * tries.reach + 1) as usize;
    for first in (0..count).step_by(SIDE) {
        let mut placed = [([0; W], [false; W]); SIDE];
        let mut q = [[0.0; SIDE]; W];
        for (side, (coordinates, moved)) in placed.iter_mut().enumerate().take(count - first) {
            let k = (first + side) as i32 - tries.reach;
            let inverse = (top + k as f32 * tries.step) / max;
            round(group.x, inverse, Codebook::<N>::LEVELS, coordinates);
            for i in 0..W / N {
                let out = &mut coordinates.as_chunks_mut::<N>().0[i];
                moved[i] = settle::<V, N>(book, small(group.x, i), small(&roots, i), 1.0 / inverse, out);
            }
            for i in 0..W {
                q[i][side] = f32::from(2 * coordinates[i] + 1);
            }
        }
        let (mut sums_qx, mut sums_qq) = ([0.0; SIDE], [0.0; SIDE]);
        for at in (0..SIDE).step_by(V::COUNT) {
            let (mut sum_qx, mut sum_qq) = (V::splat(0.0), V::splat(0.0));
            for i in 0..W {
                let q = V::load(&q[i][at..]);
                sum_qx = sum_qx + V::splat(products[i]) * q;
                sum_qq = sum_qq + V::splat(group.weights[i]) * q * q;
            }
            sum_qx.store(&mut sums_qx[at..]);
            sum_qq.store(&mut sums_qq[at..]);
        }
        for side in 0..SIDE.min(count - first) {
            let (sum_qx, sum_qq) = (sums_qx[side], sums_qq[side]);
            if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
                kept.scale = sum_qx / sum_qq;
                best = kept.scale * sum_qx;
                (kept.coordinates, kept_moved) = placed[side];
            }
        }
    }
    let any = kept_moved.contains(&true);
    if kept.scale > 0.0 && (any || again == Again::All) {
        let mut rounded = [0; W];
        round(group.x, 1.0 / kept.scale, Codebook::<N>::LEVELS, &mut rounded);
        for (i, out) in kept.coordinates.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            if kept_moved[i] || again != Again::Moved {
                *out = rounded.as_chunks::<N>().0[i];
                settle::<V, N>(book, small(group.x, i), small(&roots, i), kept.scale, out);
            }
        }
        let (sum_qx, sum_qq) = sums(group, &kept.coordinates);
        if sum_qq > 0.0 {
            kept.scale = sum_qx / sum_qq;
        }
    }
    kept
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

/// Moves a small group to a point of the book; returns whether it had to be moved.
#[inline(always)]
fn settle<V: Lanes, const N: usize>(
    book: &Codebook<N>,
    x: &[f32; N],
    roots: &[f32; N],
    scale: f32,
    out: &mut [u8; N],
) -> bool {
    let Found::Near(near) = book.find(Codebook::pack(out)) else { return false };
    let mut values = [0.0; 8];
    for (c, value) in values.iter_mut().enumerate() {
        // Coordinates of eights have two bits: their table stands here twice.
        *value = scale * (2 * if N == 8 { c % 4 } else { c } + 1) as f32;
    }
    let mut errors = [[0.0; 8]; N];
    for i in 0..N {
        for c in 0..8 {
            let difference = values[c] - x[i];
            errors[i][c] = roots[i] * difference * difference;
        }
    }
    *out = Codebook::coordinates(V::nearest_point(&errors, near));
    true
}

/// sum(w x q) and sum(w q q) for q = 2 * c + 1.
#[inline(always)]
fn sums<const W: usize>(group: &Group<W>, coordinates: &[u8; W]) -> (f32, f32) {
    let (mut sum_qx, mut sum_qq) = (0.0, 0.0);
    for i in 0..W {
        let q = f32::from(2 * coordinates[i] + 1);
        sum_qx += group.weights[i] * group.x[i] * q;
        sum_qq += group.weights[i] * q * q;
    }
    (sum_qx, sum_qq)
}
