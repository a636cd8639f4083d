//! Which near point a small group becomes: the first of least error, without computing most of the errors.
//!
//! The error sum(w (s q - x)^2) of a point, less what all points share and divided by the scale s, is a straight line in
//! s: s * sum(w q q) - 2 * sum(w x q). Two sums per point thus serve all tries that were rounded to the same place. The
//! lowest line is the point that the reference finds if it is the lowest by more than all rounding errors on both ways;
//! where it is not, the errors are computed as the reference does.

use super::places::Places;
use super::{odds, small};
use crate::codebook::{Codebook, EIGHT, Near};
use crate::lanes::{Lanes, Mask, SHORT};

/// Rounding errors of two lines and of two errors, as a part of sum(w (s q + x)^2) / s with the largest s and q: both
/// kinds are sums of at most 8 terms of at most 5 operations on values below that bound, each off by a part in 2^24,
/// which makes 52 parts; this is 128.
const ROUNDING: f32 = 1.0 / 131_072.0;
/// Bounds between which nothing that was computed can have left the range of floats.
const SOUND: core::ops::Range<f32> = 1e-30..1e18;
/// Lane numbers.
const NUMBERS: [f32; SHORT] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// A group whose small groups look for near points.
pub(super) struct Rivalry<'a, const W: usize, const E: usize> {
    x: &'a [f32; W],
    roots: &'a [f32; W],
    /// By how much a line must be the lowest, per small group.
    margins: [f32; E],
}

impl<'a, const W: usize, const E: usize> Rivalry<'a, W, E> {
    #[inline(always)]
    pub(super) fn new<V: Lanes, const N: usize>(
        x: &'a [f32; W],
        roots: &'a [f32; W],
        places: &Places<E>,
        count: usize,
    ) -> Self {
        let (largest, smallest) = (places.scales[0], places.scales[count - 1]);
        let reach = largest * (2 * Codebook::<N>::LEVELS - 1) as f32;
        let mut bounds = [0.0; W];
        for at in (0..W).step_by(V::COUNT) {
            let far = V::splat(reach) + V::load(&x[at..]).abs();
            (V::load(&roots[at..]) * far * far).store(&mut bounds[at..]);
        }
        let mut margins = [f32::NAN; E];
        for e in 0..E {
            let bound: f32 = small::<N, W>(&bounds, e).iter().sum();
            let margin = bound * (ROUNDING / smallest);
            if places.usual && SOUND.contains(&margin) {
                margins[e] = margin;
            }
        }
        Rivalry { x, roots, margins }
    }

    /// Moves a small group to near points under all tries whose place is no point; returns a bit for each of these.
    #[inline(always)]
    pub(super) fn settle<S: Lanes, const N: usize>(
        &self,
        book: &Codebook<N>,
        e: usize,
        places: &mut Places<E>,
        count: usize,
    ) -> u32 {
        let lines = Lines::<N>::new::<S, W>(self.x, self.roots, e);
        let margin = S::splat(self.margins[e]);
        let mut moved = 0;
        let mut starts = places.changes::<S>(e, count) | 1;
        while starts != 0 {
            let start = starts.trailing_zeros() as usize;
            starts &= starts - 1;
            let end = if starts == 0 { count } else { starts.trailing_zeros() as usize };
            let Some(near) = book.near(places.places[e][start].to_bits() as u16) else { continue };
            moved |= (u32::MAX >> (32 - (end - start))) << start;
            for at in (start..end).step_by(S::COUNT) {
                let (winner, lead) = lines.lowest(S::load(&places.scales[at..]), &near);
                // Lanes beyond the end keep their place until their own turn.
                let here = S::splat((end - at) as f32).gt(S::load(&NUMBERS));
                S::select(here, winner, S::load(&places.places[e][at..])).store(&mut places.points[e][at..]);
                let unclear = places.unclear[e] >> at;
                let mut unsure = here.bits() & (!lead.gt(margin).bits() | unclear);
                while unsure != 0 {
                    let k = at + unsure.trailing_zeros() as usize;
                    unsure &= unsure - 1;
                    let clear = places.unclear[e] >> k & 1 == 0;
                    let point = self.nearest::<S, N>(e, places.scales[k], &near, clear);
                    places.points[e][k] = f32::from_bits(point.into());
                }
            }
        }
        moved
    }

    /// The near point of least error under one scale; `clear` if the rounding to the place was.
    #[inline(always)]
    pub(super) fn nearest<V: Lanes, const N: usize>(&self, e: usize, scale: f32, near: &Near, clear: bool) -> u16 {
        let values = const { odds::<N>() }.map(|q| scale * q);
        let points = if clear && !self.margins[e].is_nan() { near.rivals } else { near.all };
        V::nearest_point(small::<N, W>(self.x, e), small::<N, W>(self.roots, e), &values, points)
    }
}

/// What each coordinate adds to the lines of points, for each of its values.
struct Lines<const N: usize> {
    /// w q q.
    rises: [[f32; 8]; N],
    /// 2 w x q.
    falls: [[f32; 8]; N],
}

impl<const N: usize> Lines<N> {
    #[inline(always)]
    fn new<S: Lanes, const W: usize>(x: &[f32; W], roots: &[f32; W], e: usize) -> Self {
        let (x, roots) = (small::<N, W>(x, e), small::<N, W>(roots, e));
        let mut lines = Lines { rises: [[0.0; 8]; N], falls: [[0.0; 8]; N] };
        for c in (0..8).step_by(S::COUNT) {
            let q = S::load(&const { odds::<N>() }[c..]);
            for i in 0..N {
                (S::splat(roots[i]) * q * q).store(&mut lines.rises[i][c..]);
                (S::splat(2.0 * roots[i] * x[i]) * q).store(&mut lines.falls[i][c..]);
            }
        }
        lines
    }

    /// The rival with the lowest line at each scale, as its packed point, and how far it lies below the next.
    #[inline(always)]
    fn lowest<S: Lanes>(&self, scale: S, near: &Near) -> (S, S) {
        let (mut lowest, mut next, mut winner) = (S::splat(f32::MAX), S::splat(f32::MAX), S::splat(0.0));
        let mut left = near.count;
        for rivals in near.rivals.as_chunks::<EIGHT>().0 {
            let (mut rises, mut falls, mut codes) = ([0.0; EIGHT], [0.0; EIGHT], [0.0; EIGHT]);
            for c in (0..EIGHT).step_by(S::COUNT) {
                let points = S::packed(&rivals[c..]);
                let (mut rise, mut fall) = (S::splat(0.0), S::splat(0.0));
                for i in 0..N {
                    rise = rise + points.of_coordinate::<N>(i, &self.rises[i]);
                    fall = fall + points.of_coordinate::<N>(i, &self.falls[i]);
                }
                rise.store(&mut rises[c..]);
                fall.store(&mut falls[c..]);
                points.store(&mut codes[c..]);
            }
            for c in 0..left.min(EIGHT) {
                let line = scale * S::splat(rises[c]) - S::splat(falls[c]);
                winner = S::select(lowest.gt(line), S::splat(codes[c]), winner);
                next = next.min(lowest.max(line));
                lowest = lowest.min(line);
            }
            left = left.saturating_sub(EIGHT);
        }
        (winner, next - lowest)
    }
}
