//! The places to which small groups are rounded under each try, and how sure that rounding is.

use super::{ROOM, Tries, small};
use crate::codebook::Codebook;
use crate::lanes::{Lanes, Mask};
use crate::round::{NEAREST_LIMIT, nearest_int};

/// Adding it leaves a whole number below 2^16 in the low bits.
const WHOLE: f32 = 8_388_608.0;
/// How close to a tie a rounding is clear. Every float on the way to it, and on the way to an error, is off by a few
/// parts in 2^24 of at most 16, so one part in 2^14 leaves ample room.
const CLEAR: f32 = 0.5 - 1.0 / 16_384.0;
/// Largest weights from which scales and inverse scales, and what is computed with them, are neither tiny nor huge.
const USUAL: core::ops::RangeInclusive<f32> = 1e-12..=1e12;

/// The small groups of a group under all tries.
pub(super) struct Places<const E: usize> {
    /// The scale of each try.
    pub(super) scales: [f32; ROOM],
    /// The packed place of each small group in the low 16 bits.
    pub(super) places: [[f32; ROOM]; E],
    /// What becomes of them: points of the book. Until they are settled, the places.
    pub(super) points: [[f32; ROOM]; E],
    /// The tries under which a small group has a weight so close to a tie that it may lie on its other side.
    pub(super) unclear: [u32; E],
    /// Whether scales and weights are of a size for which rounding errors are known.
    pub(super) usual: bool,
}

impl<const E: usize> Places<E> {
    pub(super) const fn new() -> Self {
        Places { scales: [0.0; ROOM], places: [[0.0; ROOM]; E], points: [[0.0; ROOM]; E], unclear: [0; E], usual: true }
    }

    /// Rounds all small groups under all tries, over what was here. Lanes beyond the last try do not matter.
    #[inline(always)]
    pub(super) fn fill<S: Lanes, const N: usize, const W: usize>(&mut self, x: &[f32; W], max: f32, tries: &Tries) {
        let mut inverses = [0.0; ROOM];
        self.unclear = [0; E];
        for at in (0..ROOM).step_by(S::COUNT) {
            let inverse = S::load(&tries.tops[at..]) / S::splat(max);
            inverse.store(&mut inverses[at..]);
            (S::splat(1.0) / inverse).store(&mut self.scales[at..]);
        }
        // NaN does not show here: it is rounded to zero.
        let largest = x.iter().fold(0.0, |largest, v| if v.abs() > largest { v.abs() } else { largest });
        self.usual = USUAL.contains(&max) && largest * inverses[tries.count - 1] <= NEAREST_LIMIT;
        for at in (0..tries.count).step_by(S::COUNT) {
            let inverse = S::load(&inverses[at..]);
            if self.usual {
                self.round::<S, N, W, false>(x, inverse, at);
            } else {
                self.round::<S, N, W, true>(x, inverse, at);
            }
        }
    }

    /// Rounds under the tries in the lanes from `at` on.
    #[inline(always)]
    fn round<S: Lanes, const N: usize, const W: usize, const UNUSUAL: bool>(
        &mut self,
        x: &[f32; W],
        inverse: S,
        at: usize,
    ) {
        let (half, zero) = (S::splat(0.5), S::splat(0.0));
        let (highest, unit) = (S::splat((Codebook::<N>::LEVELS - 1) as f32), S::splat(Codebook::<N>::UNIT));
        // Halving is exact, so it may come first.
        let half_inverse = half * inverse;
        for e in 0..E {
            let (mut place, mut farthest) = (zero, zero);
            for x in small::<_, N, W>(x, e).iter().rev() {
                let level;
                if UNUSUAL {
                    let v = half * (inverse * S::splat(*x) - S::splat(1.0));
                    level = v.nearest_wrapping().max(zero).min(highest);
                } else {
                    let v = (half_inverse * S::splat(*x) - half).max(zero).min(highest);
                    level = v.nearest();
                    farthest = (v - level).abs().max(farthest);
                }
                place = place * unit + level;
            }
            let place = place + S::splat(WHOLE);
            place.store(&mut self.places[e][at..]);
            place.store(&mut self.points[e][at..]);
            if UNUSUAL {
                self.unclear[e] = u32::MAX;
            } else {
                self.unclear[e] |= farthest.gt(S::splat(CLEAR)).bits() << at;
            }
        }
    }

    /// The tries, a bit each, under which the place of a small group is not that of the try before.
    #[inline(always)]
    pub(super) fn changes<S: Lanes>(&self, e: usize, count: usize) -> u32 {
        let places = &self.places[e];
        let mut same = 0u32;
        for at in (0..count - 1).step_by(S::COUNT) {
            same |= S::load(&places[at..]).eq(S::load(&places[at + 1..])).bits() << at;
        }
        // The lanes beyond the last try do not count.
        !(same << 1) & !1 & (u32::MAX >> (32 - count))
    }
}

/// The place to which a small group is rounded under one inverse scale, and whether that is clear.
#[inline(always)]
pub(super) fn one_place<const N: usize>(x: &[f32; N], inverse: f32) -> (u16, bool) {
    let highest = (Codebook::<N>::LEVELS - 1) as f32;
    let mut levels = [0; N];
    let mut farthest = 0.0f32;
    for i in 0..N {
        let v = 0.5 * (inverse * x[i] - 1.0);
        levels[i] = nearest_int(v).clamp(0, Codebook::<N>::LEVELS as i32 - 1) as u8;
        let inside = if v > 0.0 { v } else { 0.0 };
        let inside = if inside < highest { inside } else { highest };
        let far = (inside - f32::from(levels[i])).abs();
        farthest = if far > farthest { far } else { farthest };
    }
    (Codebook::pack(&levels), farthest <= CLEAR && USUAL.contains(&inverse))
}
