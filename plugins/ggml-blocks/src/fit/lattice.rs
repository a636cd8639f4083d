//! Scale of a group whose weights, in small groups of `N`, must be points of a codebook: x ~ scale * (2 * c + 1).
//!
//! For every inverse scale (2 * LEVELS - 1 - 2 + step * k) / max the weights are rounded to coordinates; a small group
//! that is no point of the book becomes the near point of least error, weighed by the root of the weights. The scale
//! with the largest (sum w x q)^2 / sum(w q q) wins, a later one only if strictly larger. Small groups that were moved
//! to a near point are then placed once more with the winning scale.

use crate::codebook::{Codebook, Found};
use crate::round::nearest_int;

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
#[inline(always)]
pub(crate) fn fit<const N: usize, const W: usize>(
    book: &Codebook<N>,
    group: &Group<W>,
    max: f32,
    tries: &Tries,
    again: Again,
    start: Fit<W>,
) -> Fit<W> {
    let roots = group.weights.map(f32::sqrt);
    let top = (2 * Codebook::<N>::LEVELS - 1) as f32;
    let mut kept = start;
    let mut kept_moved = [false; W];
    let mut best = 0.0;
    for k in -tries.reach..=tries.reach {
        let inverse = (top + k as f32 * tries.step) / max;
        let scale = 1.0 / inverse;
        let mut coordinates = [0; W];
        let mut moved = [false; W];
        for (i, out) in coordinates.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            moved[i] = place(book, small(group.x, i), small(&roots, i), inverse, scale, out);
        }
        let (sum_qx, sum_qq) = sums(group, &coordinates);
        if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
            kept.scale = sum_qx / sum_qq;
            best = kept.scale * sum_qx;
            kept.coordinates = coordinates;
            kept_moved = moved;
        }
    }
    let any = kept_moved.contains(&true);
    if kept.scale > 0.0 && (any || again == Again::All) {
        let inverse = 1.0 / kept.scale;
        for (i, out) in kept.coordinates.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            if kept_moved[i] || again != Again::Moved {
                place(book, small(group.x, i), small(&roots, i), inverse, kept.scale, out);
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

/// Rounds a small group and moves it to a point of the book; returns whether it had to be moved.
#[inline(always)]
fn place<const N: usize>(
    book: &Codebook<N>,
    x: &[f32; N],
    roots: &[f32; N],
    inverse: f32,
    scale: f32,
    out: &mut [u8; N],
) -> bool {
    let top = Codebook::<N>::LEVELS as i32 - 1;
    *out = x.map(|v| nearest_int(0.5 * (inverse * v - 1.0)).clamp(0, top) as u8);
    let Found::Near(near) = book.find(Codebook::pack(out)) else { return false };
    let mut errors = [[0.0; 8]; N];
    for i in 0..N {
        for (c, error) in errors[i].iter_mut().enumerate().take(Codebook::<N>::LEVELS) {
            let difference = scale * (2 * c + 1) as f32 - x[i];
            *error = roots[i] * difference * difference;
        }
    }
    *out = Codebook::coordinates(book.point(nearest(book, near, &errors)));
    true
}

/// The first of the near points with the least sum of errors, given per coordinate and its value.
#[inline(always)]
pub(crate) fn nearest<const N: usize>(book: &Codebook<N>, near: &[u16], errors: &[[f32; 8]; N]) -> u16 {
    let (mut nearest, mut best) = (near.first().copied().unwrap_or(0), f32::MAX);
    for &index in near {
        let point = Codebook::<N>::coordinates(book.point(index));
        let mut error = 0.0;
        for i in 0..N {
            error += errors[i][usize::from(point[i] & 7)];
        }
        if error < best {
            (nearest, best) = (index, error);
        }
    }
    nearest
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
