//! Scale of a group whose weights, in small groups of `N`, must be points of a codebook: x ~ scale * (2 * c + 1).
//!
//! For every inverse scale (2 * LEVELS - 1 + step * k) / max the weights are rounded to coordinates (`places`); a small
//! group that is no point of the book becomes the near point of least error, weighed by the root of the weights
//! (`near`). The scale with the largest (sum w x q)^2 / sum(w q q) wins, a later one only if strictly larger. Small
//! groups that were moved to a near point are then placed once more with the winning scale.
//!
//! A try does not depend on the ones before it, so tries stand in lanes.

mod lines;
mod near;
mod places;
mod sums;

use crate::codebook::Codebook;
use crate::lanes::{Lanes, SHORT};
use lines::Lines;
use near::Rivalry;
use places::{Places, one_place};
use sums::{Sums, sums};

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

/// Where groups are worked on, one after the other.
pub(crate) struct Room<const W: usize, const E: usize> {
    places: Places<E>,
    lines: Lines<W>,
}

impl<const W: usize, const E: usize> Room<W, E> {
    pub(crate) const fn new() -> Self {
        Room { places: Places::new(), lines: Lines::new() }
    }
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
    room: &mut Room<W, E>,
) -> Fit<E> {
    const { assert!(E * N == W) };
    let roots = group.weights.map(f32::sqrt);
    room.places.fill::<V::Short, N, W>(group.x, max, tries);
    room.lines.set_group::<V::Short, N>(group.x, &roots);
    let rivalry = Rivalry::<W, E>::new::<V::Short, N>(group.x, &roots, &room.places, tries.count);
    // The tries under which each small group was moved.
    let mut moved = [0; E];
    for e in 0..E {
        moved[e] = rivalry.settle::<V::Short, N>(book, e, room, tries.count);
    }
    let points = &room.places.points;
    let mut kept = start;
    // A bit per small group.
    let mut kept_moved = 0u32;
    let sums_of_tries = Sums::of_tries::<V::Short, N, W, E>(group, points, tries.count);
    if let Some((k, scale)) = sums_of_tries.winner::<V::Short>(tries.count) {
        kept.scale = scale;
        for e in 0..E {
            kept.points[e] = points[e][k].to_bits() as u16;
            kept_moved |= (moved[e] >> k & 1) << e;
        }
    }
    if kept.scale > 0.0 && (kept_moved != 0 || again == Again::All) {
        let inverse = 1.0 / kept.scale;
        for e in 0..E {
            if kept_moved >> e & 1 != 0 || again != Again::Moved {
                let (place, clear) = one_place::<N>(small::<_, N, W>(group.x, e), inverse);
                kept.points[e] = rivalry.nearest::<V::Short, N>(book, e, place, kept.scale, clear);
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
fn small<T, const N: usize, const W: usize>(values: &[T; W], i: usize) -> &[T; N] {
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
