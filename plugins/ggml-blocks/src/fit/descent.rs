//! Scale of a group around zero by coordinate descent: x ~ scale * level, level in -top..top, weights x * x.
//!
//! Starting from levels rounded with -top / max, up to five passes visit the weights in order. For each, the level that
//! is best against the scale of all the others, x * sum'(w l l) / sum'(w x l), replaces the present one if that makes
//! (sum w x l)^2 / sum(w l l) strictly larger. A pass without a change ends the search.
//!
//! A pass is a chain of divisions, which takes its time however few lanes it fills. Whether one would change anything is
//! seen without waiting, because as long as nothing changes no weight waits for another. So all groups are looked at
//! first, and those that may change (one in five, of normal weights) are gathered before each pass.

use super::symmetric::NOTHING;
use crate::lanes::{Beside, GROUPS, Lanes, Mask};
use crate::round::NEAREST_LIMIT;

/// Super-blocks whose groups are fitted at once: the more, the fuller the lanes of the passes.
pub(crate) const SUPERS: usize = 4 * GROUPS;

/// Most groups that are fitted at once.
const MOST: usize = SUPERS * GROUPS;

/// Groups that take a pass beside each other, at most.
const SIDE: usize = 2 * GROUPS;

/// Most passes.
const PASSES: usize = 5;

/// Scales of groups of `N` weights, whole sixteens of them and at most 1024; 0 for a group of zeros.
#[inline(always)]
pub(crate) fn fit_scales<V: Lanes, const N: usize>(top: i32, x: &[[f32; N]], scales: &mut [f32]) {
    let mut open = Open::<N>::NONE;
    for first in (0..x.len().min(MOST)).step_by(V::COUNT) {
        let x: [V; N] = V::columns(&x[first..]);
        let mut levels = [V::splat(0.0); N];
        let (sums, something) = start(top, &x, &mut levels);
        V::select(something, sums.scale(), V::splat(0.0)).store(&mut scales[first..]);
        let unsettled = something.and(sums.unsettled(top, &x, &levels)).bits();
        open.add(top, unsettled, &levels, &sums, |lane| first + lane);
    }
    for _ in 0..PASSES {
        let count = core::mem::take(&mut open.count);
        let mut first = 0;
        while first < count {
            // Two registers side by side, each waiting while the other works; a rest that fits into one takes only that.
            first += if count - first > V::COUNT {
                open.pass::<Beside<V, 2>>(top, first, count, x, scales)
            } else {
                open.pass::<V>(top, first, count, x, scales)
            };
        }
    }
}

/// The levels found for a group, stored as level + `top`; a group of zeros is stored as 0. Few groups need them.
#[cold]
#[inline(never)]
pub(crate) fn levels<const N: usize>(top: i32, x: &[f32; N]) -> [u8; N] {
    alone(top, x).1
}

/// Scale and stored levels of one group, with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn alone<const N: usize>(top: i32, x: &[f32; N]) -> (f32, [u8; N]) {
    let mut levels = [0.0; N];
    let (mut sums, something) = start::<f32, N>(top, x, &mut levels);
    if !something.any() {
        return (0.0, [0; N]);
    }
    for _ in 0..PASSES {
        let (changed, _) = sums.pass::<N, true>(top, x, &mut levels);
        if !changed.any() {
            break;
        }
    }
    (sums.scale(), levels.map(|level| (level as i32 + top) as u8))
}

/// Groups that the next pass may change.
struct Open<const N: usize> {
    count: usize,
    /// Which groups they are.
    places: [usize; MOST + SIDE],
    /// Their levels so far, stored as level + top.
    levels: [[u8; N]; MOST],
    lx: [f32; MOST + SIDE],
    ll: [f32; MOST + SIDE],
}

impl<const N: usize> Open<N> {
    const NONE: Self = Open {
        count: 0,
        places: [0; MOST + SIDE],
        levels: [[0; N]; MOST],
        lx: [0.0; MOST + SIDE],
        ll: [0.0; MOST + SIDE],
    };

    /// Leads the groups from `first` on, as many as there are lanes, through one pass. Those that the next one may
    /// change are added again, over what was read. Returns the number of lanes.
    #[inline(always)]
    fn pass<V: Lanes>(&mut self, top: i32, first: usize, count: usize, x: &[[f32; N]], scales: &mut [f32]) -> usize {
        let lanes = (count - first).min(V::COUNT);
        let (mut places, mut gathered, mut levels) = ([0; SIDE], [[0.0; N]; SIDE], [[0.0; N]; SIDE]);
        for lane in 0..lanes {
            places[lane] = self.places[first + lane];
            gathered[lane] = x[places[lane]];
            levels[lane] = self.levels[first + lane].map(|level| (i32::from(level) - top) as f32);
        }
        let (x_lanes, mut levels) = (V::columns(&gathered), V::columns(&levels));
        let mut sums = Sums { lx: V::load(&self.lx[first..]), ll: V::load(&self.ll[first..]) };
        let (changed, beyond) = sums.pass::<N, false>(top, &x_lanes, &mut levels);
        let mut found = [0.0; SIDE];
        sums.scale().store(&mut found);
        for lane in 0..lanes {
            scales[places[lane]] = found[lane];
        }
        let filled = u32::MAX >> (32 - lanes);
        let mut wrapped = beyond.bits() & filled;
        let unsettled = changed.and(sums.unsettled(top, &x_lanes, &levels)).bits() & filled & !wrapped;
        self.add(top, unsettled, &levels, &sums, |lane| places[lane]);
        while wrapped != 0 {
            let place = places[wrapped.trailing_zeros() as usize];
            scales[place] = alone(top, &x[place]).0;
            wrapped &= wrapped - 1;
        }
        V::COUNT
    }

    /// Adds the lanes of the set bits.
    #[inline(always)]
    fn add<V: Lanes>(
        &mut self,
        top: i32,
        mut lanes: u32,
        levels: &[V; N],
        sums: &Sums<V>,
        place: impl Fn(usize) -> usize,
    ) {
        if lanes == 0 {
            return;
        }
        let (mut stored, mut lx, mut ll) = ([[0; SIDE]; N], [0.0; SIDE], [0.0; SIDE]);
        for i in 0..N {
            (levels[i] + V::splat(top as f32)).store_bytes(&mut stored[i]);
        }
        sums.lx.store(&mut lx);
        sums.ll.store(&mut ll);
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize;
            lanes &= lanes - 1;
            for i in 0..N {
                self.levels[self.count][i] = stored[i][lane];
            }
            (self.lx[self.count], self.ll[self.count]) = (lx[lane], ll[lane]);
            self.places[self.count] = place(lane);
            self.count += 1;
        }
    }
}

/// `level` in the lanes of the mask, `present` in the others, which are whole numbers.
///
/// A plain choice that is stored where `present` lies becomes a masked store, whose bytes the next load has to wait for:
/// three times slower in all.
#[inline(always)]
pub(super) fn moved<V: Lanes>(mask: V::Mask, level: V, present: V) -> V {
    present + V::select(mask, level - present, V::splat(0.0))
}

/// Sets the levels with which the search begins. Returns their sums, and the lanes that are not a group of zeros.
///
/// No weight is larger than the one that becomes -`top`, so none comes out below.
#[inline(always)]
fn start<V: Lanes, const N: usize>(top: i32, x: &[V; N], levels: &mut [V; N]) -> (Sums<V>, V::Mask) {
    let zero = V::splat(0.0);
    let highest = V::splat((top - 1) as f32);
    let (mut largest, mut magnitude) = (zero, zero);
    for i in 0..N {
        let larger = x[i].abs().gt(magnitude);
        magnitude = V::select(larger, x[i].abs(), magnitude);
        largest = V::select(larger, x[i], largest);
    }
    let inverse = V::splat(-top as f32) / largest;
    let mut sums = Sums { lx: zero, ll: zero };
    for i in 0..N {
        let level = (inverse * x[i]).nearest().min(highest);
        let weight = x[i] * x[i];
        sums.lx = sums.lx + weight * x[i] * level;
        sums.ll = sums.ll + weight * level * level;
        levels[i] = level;
    }
    (sums, V::splat(NOTHING).le(magnitude))
}

/// sum(w x l) and sum(w l l) of the group in every lane.
struct Sums<V> {
    lx: V,
    ll: V,
}

/// What a pass finds at one weight.
struct Step<V: Lanes> {
    weight: V,
    product: V,
    /// The sums without this weight.
    rest_lx: V,
    rest_ll: V,
    /// The lanes in which those allow a level.
    open: V::Mask,
    /// The best level for them, before rounding.
    candidate: V,
}

impl<V: Lanes> Sums<V> {
    #[inline(always)]
    fn step(&self, x: V, level: V) -> Step<V> {
        let weight = x * x;
        let product = weight * x;
        let rest_lx = self.lx - product * level;
        let rest_ll = self.ll - weight * level * level;
        let candidate = x * rest_ll / rest_lx;
        Step { weight, product, rest_lx, rest_ll, open: rest_lx.gt(V::splat(0.0)), candidate }
    }

    /// The lanes in which the next pass may change some level; also a few in which it does not.
    ///
    /// With r = sum'(w x l) of the others, the best level less the present one is (x sum(w l l) - l sum(w x l)) / r. If
    /// that lies between -1/2 and 1/2 with something to spare for rounding, nothing changes; so it does if no r is positive.
    /// Above the highest level all is one.
    #[inline(always)]
    fn unsettled<const N: usize>(&self, top: i32, x: &[V; N], levels: &[V; N]) -> V::Mask {
        let zero = V::splat(0.0);
        let ceiling = V::splat((top - 1) as f32) * self.lx / self.ll;
        let (twice_lx, twice_ll) = (self.lx + self.lx, self.ll + self.ll);
        let spare = self.lx * V::splat(1e-4);
        let (mut settled, mut largest) = (zero.eq(zero), V::splat(-f32::MAX));
        for i in 0..N {
            let rest = self.lx - x[i] * x[i] * x[i] * levels[i];
            let twice_gap = x[i].min(ceiling) * twice_ll - levels[i] * twice_lx;
            settled = settled.and(twice_gap.abs().le(rest - spare));
            largest = rest.max(largest);
        }
        largest.gt(zero).without(settled)
    }

    /// Visits all weights once. Returns the lanes in which a level has changed, and those in which a value may have
    /// wrapped in rounding.
    #[inline(always)]
    fn pass<const N: usize, const WRAPPING: bool>(
        &mut self,
        top: i32,
        x: &[V; N],
        levels: &mut [V; N],
    ) -> (V::Mask, V::Mask) {
        let zero = V::splat(0.0);
        let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
        let (mut changed, mut beyond) = (zero.gt(zero), zero.gt(zero));
        for i in 0..N {
            let Step { weight, product, rest_lx, rest_ll, open, candidate } = self.step(x[i], levels[i]);
            beyond = beyond.or(open.without(candidate.abs().le(V::splat(NEAREST_LIMIT))));
            let level = if WRAPPING { candidate.nearest_wrapping() } else { candidate.nearest() };
            let level = level.max(lowest).min(highest);
            let new_lx = rest_lx + product * level;
            let new_ll = rest_ll + weight * level * level;
            let gain = (new_lx * new_lx * self.ll).gt(self.lx * self.lx * new_ll);
            let better = open.without(level.eq(levels[i])).and(new_ll.gt(zero)).and(gain);
            levels[i] = moved(better, level, levels[i]);
            self.lx = V::select(better, new_lx, self.lx);
            self.ll = V::select(better, new_ll, self.ll);
            changed = changed.or(better);
        }
        (changed, beyond)
    }

    #[inline(always)]
    fn scale(&self) -> V {
        let zero = V::splat(0.0);
        V::select(self.ll.gt(zero), self.lx / self.ll, zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_does_not_change() {
        let mut seed = 3u32;
        let mut unit = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        let (mut changes, mut settled) = (0, 0);
        for round in 0..4000 {
            let mut x: [f32; 16] = core::array::from_fn(|_| unit() + unit() + unit() - 1.5);
            match round % 4 {
                1 => x[3] *= 1e6,
                2 => x = x.map(|v| (v * 4.0).round()),
                3 => x = x.map(|v| v * v * v),
                _ => {}
            }
            let mut levels = [0.0; 16];
            let (mut sums, something) = start::<f32, 16>(4, &x, &mut levels);
            for _ in 0..PASSES {
                let unsettled = something.any() && sums.unsettled(4, &x, &levels).any();
                let (changed, _) = sums.pass::<16, true>(4, &x, &mut levels);
                assert!(unsettled || !something.any() || !changed.any(), "{x:?}");
                changes += u32::from(changed.any());
                settled += u32::from(!unsettled);
            }
        }
        assert!(changes > 400 && settled > 4000, "{changes} {settled}");
    }

    #[test]
    fn groups_side_by_side_get_what_each_gets_alone() {
        let mut seed = 5u32;
        let x: Vec<[f32; 16]> = (0..64)
            .map(|g| {
                core::array::from_fn(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if g == 7 { 0.0 } else { (seed >> 8) as f32 / (1 << 23) as f32 - 1.0 }
                })
            })
            .collect();
        let mut scales = [f32::NAN; 64];
        fit_scales::<Beside<f32, 8>, 16>(4, &x, &mut scales);
        for (x, scale) in x.iter().zip(scales) {
            assert_eq!(scale, alone(4, x).0);
        }
    }
}
