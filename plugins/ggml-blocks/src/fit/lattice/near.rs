//! Which near point a small group becomes: the first of least error, mostly without computing errors.
//!
//! The point with the lowest of the lines (`lines`) is the one that the reference finds if its line is the lowest by
//! more than all rounding errors on both ways; where it is not, the errors are computed as the reference does.

use super::lines::NUMBERS;
use super::places::Places;
use super::{Room, odds, small};
use crate::codebook::{Codebook, Found};
use crate::lanes::{Lanes, Mask};

/// Rounding errors of two lines and of two errors, as a part of sum(w (s q + x)^2) / s with the largest s and q: both
/// kinds are sums of at most 8 terms of at most 5 operations on values below that bound, each off by a part in 2^24,
/// which makes 52 parts; this is 128.
const ROUNDING: f32 = 1.0 / 131_072.0;
/// Bounds between which nothing that was computed can have left the range of floats.
const SOUND: core::ops::Range<f32> = 1e-30..1e18;

/// A group whose small groups look for near points.
pub(super) struct Rivalry<'a, const W: usize, const E: usize> {
    x: &'a [f32; W],
    roots: &'a [f32; W],
    /// By how much a line must be the lowest, per small group; NaN where that is not known.
    margins: [f32; E],
}

impl<'a, const W: usize, const E: usize> Rivalry<'a, W, E> {
    #[inline(always)]
    pub(super) fn new<S: Lanes, const N: usize>(
        x: &'a [f32; W],
        roots: &'a [f32; W],
        places: &Places<E>,
        count: usize,
    ) -> Self {
        let (largest, smallest) = (places.scales[0], places.scales[count - 1]);
        let reach = largest * (2 * Codebook::<N>::LEVELS - 1) as f32;
        let mut bounds = [0.0; W];
        for at in (0..W).step_by(S::COUNT) {
            let far = S::splat(reach) + S::load(&x[at..]).abs();
            (S::load(&roots[at..]) * far * far).store(&mut bounds[at..]);
        }
        let mut margins = [f32::NAN; E];
        for e in 0..E {
            let bound: f32 = small::<_, N, W>(&bounds, e).iter().sum();
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
        room: &mut Room<W, E>,
        count: usize,
    ) -> u32 {
        let Room { places, lines } = room;
        let mut moved = 0;
        let mut starts = places.changes::<S>(e, count) | 1;
        while starts != 0 {
            let start = starts.trailing_zeros() as usize;
            starts &= starts - 1;
            let end = if starts == 0 { count } else { starts.trailing_zeros() as usize };
            let place = places.places[e][start].to_bits() as u16;
            let (rivals, of_them) = book.rivals(place);
            if of_them == 0 {
                continue;
            }
            moved |= (u32::MAX >> (32 - (end - start))) << start;
            lines.draw::<S, N>(e, rivals, of_them);
            let mut at = start;
            while at < end {
                let (winner, lead) = lines.lowest(S::load(&places.scales[at..]), of_them);
                // Lanes beyond the end keep their place until their own turn.
                let here = S::splat((end - at) as f32).gt(S::load(&NUMBERS));
                S::select(here, winner, S::load(&places.places[e][at..])).store(&mut places.points[e][at..]);
                let sure = lead.gt(S::splat(self.margins[e])).bits();
                let mut unsure = here.bits() & (!sure | places.unclear[e] >> at);
                while unsure != 0 {
                    let k = at + unsure.trailing_zeros() as usize;
                    unsure &= unsure - 1;
                    let clear = places.unclear[e] >> k & 1 == 0;
                    let point = self.nearest::<S, N>(book, e, place, places.scales[k], clear);
                    places.points[e][k] = f32::from_bits(point.into());
                }
                at += S::COUNT;
            }
        }
        moved
    }

    /// The point that a small group becomes under one scale; `clear` if the rounding to its place was.
    #[inline(always)]
    pub(super) fn nearest<S: Lanes, const N: usize>(
        &self,
        book: &Codebook<N>,
        e: usize,
        place: u16,
        scale: f32,
        clear: bool,
    ) -> u16 {
        let Found::Near(all) = book.find(place) else { return place };
        let near = if clear && !self.margins[e].is_nan() { book.rivals(place).0.as_flattened() } else { all };
        let mut values = [0.0; 8];
        for at in (0..8).step_by(S::COUNT) {
            (S::splat(scale) * S::load(&const { odds::<N>() }[at..])).store(&mut values[at..]);
        }
        S::nearest_point(small::<_, N, W>(self.x, e), small::<_, N, W>(self.roots, e), &values, near)
    }
}
