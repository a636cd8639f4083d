//! Scale of a group whose weights, in small groups of `N`, must be points of a codebook: x ~ scale * (2 * c + 1).
//!
//! For every inverse scale (2 * LEVELS - 1 + step * k) / max the weights are rounded to coordinates (`places`); a small
//! group that is no point of the book becomes the near point of least error, weighed by the root of the weights
//! (`near`). The scale with the largest (sum w x q)^2 / sum(w q q) wins, a later one only if strictly larger. Small
//! groups that were moved to a near point are then placed once more with the winning scale.
//!
//! A try does not depend on the ones before it, so tries stand in lanes.

mod near;
mod places;

use crate::codebook::Codebook;
use crate::lanes::{Lanes, SHORT};
use near::Rivalry;
use places::{Places, one_place};

/// Room for all tries in whole lanes, and for the lanes beyond a load that starts at the last.
const ROOM: usize = 32 + SHORT;

/// A group of weights without their signs, and what each counts.
pub(crate) struct Group<'a, const W: usize> {
    pub(crate) x: &'a [f32; W],
    pub(crate) weights: &'a [f32; W],
}

/// Which inverse scales are tried.
pub(crate) struct Tries {
    count: usize,
    /// What the largest weight becomes in each of them; the last one is repeated to the end.
    tops: [f32; ROOM],
}

impl Tries {
    /// Tries that make the largest weight `top` + `step` * k, k from -`reach` to `reach`.
    pub(crate) const fn new(top: f32, reach: usize, step: f32) -> Tries {
        let count = 2 * reach + 1;
        assert!(count <= ROOM - SHORT);
        let mut tops = [0.0; ROOM];
        let mut at = 0;
        while at < ROOM {
            let k = if at < count { at } else { count - 1 };
            tops[at] = top + (k as i32 - reach as i32) as f32 * step;
            at += 1;
        }
        Tries { count, tops }
    }
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
    let mut places = Places::<E>::new::<V::Short, N, W>(group.x, max, tries);
    let rivalry = Rivalry::<W, E>::new::<V, N>(group.x, &roots, &places, tries.count);
    // The tries under which each small group was moved.
    let mut moved = [0; E];
    for e in 0..E {
        moved[e] = rivalry.settle::<V::Short, N>(book, e, &mut places, tries.count);
    }
    let (sums_qx, sums_qq) = sums_of_tries::<V::Short, N, W, E>(group, &places.points, tries.count);
    let mut kept = start;
    let mut best = 0.0;
    let mut winner = None;
    for k in 0..tries.count {
        let (sum_qx, sum_qq) = (sums_qx[k], sums_qq[k]);
        if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
            kept.scale = sum_qx / sum_qq;
            best = kept.scale * sum_qx;
            winner = Some(k);
        }
    }
    // A bit per small group.
    let mut kept_moved = 0u32;
    if let Some(k) = winner {
        for e in 0..E {
            kept.points[e] = places.points[e][k].to_bits() as u16;
            kept_moved |= (moved[e] >> k & 1) << e;
        }
    }
    if kept.scale > 0.0 && (kept_moved != 0 || again == Again::All) {
        let inverse = 1.0 / kept.scale;
        for e in 0..E {
            if kept_moved >> e & 1 != 0 || again != Again::Moved {
                let (place, clear) = one_place::<N>(small(group.x, e), inverse);
                kept.points[e] = match book.near(place) {
                    None => place,
                    Some(near) => rivalry.nearest::<V, N>(e, kept.scale, &near, clear),
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

#[inline(always)]
fn small<const N: usize, const W: usize>(values: &[f32; W], i: usize) -> &[f32; N] {
    &values.as_chunks::<N>().0[i]
}

/// 2 * c + 1 for every coordinate, as `of_coordinate` wants it.
#[inline(always)]
const fn odds<const N: usize>() -> [f32; 8] {
    let mut odds = [0.0; 8];
    let mut c = 0;
    while c < 8 {
        odds[c] = (2 * (if N == 8 { c % 4 } else { c }) + 1) as f32;
        c += 1;
    }
    odds
}

/// sum(w x q) and sum(w q q) of all tries, for q = 2 * c + 1.
#[inline(always)]
fn sums_of_tries<S: Lanes, const N: usize, const W: usize, const E: usize>(
    group: &Group<W>,
    points: &[[f32; ROOM]; E],
    count: usize,
) -> ([f32; ROOM], [f32; ROOM]) {
    let (mut sums_qx, mut sums_qq) = ([0.0; ROOM], [0.0; ROOM]);
    for at in (0..count).step_by(S::COUNT) {
        let (mut sum_qx, mut sum_qq) = (S::splat(0.0), S::splat(0.0));
        for e in 0..E {
            let points = S::load(&points[e][at..]);
            let (x, weights) = (small::<N, W>(group.x, e), small::<N, W>(group.weights, e));
            for i in 0..N {
                let q = points.of_coordinate::<N>(i, const { &odds::<N>() });
                let weight = S::splat(weights[i]);
                sum_qx = sum_qx + weight * S::splat(x[i]) * q;
                sum_qq = sum_qq + weight * q * q;
            }
        }
        sum_qx.store(&mut sums_qx[at..]);
        sum_qq.store(&mut sums_qq[at..]);
    }
    (sums_qx, sums_qq)
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
