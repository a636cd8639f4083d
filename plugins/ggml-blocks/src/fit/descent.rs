//! Scale of a group around zero by coordinate descent: x ~ scale * level, level in -top..top, weights x * x.
//!
//! Starting from levels rounded with -top / max, up to five passes visit the weights in order. For each, the level that
//! is best against the scale of all the others, x * sum'(w l l) / sum'(w x l), replaces the present one if that makes
//! (sum w x l)^2 / sum(w l l) strictly larger. A pass without a change ends the search.
//!
//! Four in five groups of normal weights (52652 of 65536) stay where they start, and as long as nothing changes no
//! weight waits for another. So all groups are looked at once, and those that may change are gathered and searched
//! beside each other: a descent is a chain of divisions, which takes its time however few lanes it fills.

use super::symmetric::NOTHING;
use crate::lanes::{Beside, GROUPS, Lanes, Mask};
use crate::round::NEAREST_LIMIT;

/// Most groups that are fitted at once.
const MOST: usize = GROUPS * GROUPS;

/// Groups whose descents run beside each other.
const SIDE: usize = 2 * GROUPS;

/// Scales of groups of `N` weights, whole sixteens of them and at most 256; 0 for a group of zeros.
#[inline(always)]
pub(crate) fn fit_scales<V: Lanes, const N: usize>(top: i32, x: &[[f32; N]], scales: &mut [f32]) {
    let (mut open, mut places, mut count) = ([[0.0; N]; MOST], [0; MOST], 0);
    for first in (0..x.len().min(MOST)).step_by(V::COUNT) {
        let start = Descent::<V, N>::start(top, V::columns(&x[first..]));
        start.scale().store(&mut scales[first..]);
        let mut unsettled = start.unsettled(top);
        while unsettled != 0 {
            places[count] = first + unsettled.trailing_zeros() as usize;
            open[count] = x[places[count]];
            count += 1;
            unsettled &= unsettled - 1;
        }
    }
    for first in (0..count).step_by(2 * V::COUNT) {
        let mut descent = Descent::<Beside<V, 2>, N>::start(top, <Beside<V, 2>>::columns(&open[first..]));
        let wrapped = descent.descend::<false>(top);
        let mut found = [0.0; SIDE];
        descent.scale().store(&mut found);
        for (lane, &place) in places[first..count].iter().enumerate().take(2 * V::COUNT) {
            scales[place] = if wrapped >> lane & 1 != 0 { alone(top, &x[place]).scale() } else { found[lane] };
        }
    }
}

/// The levels found for a group, stored as level + `top`; a group of zeros is stored as 0. Few groups need them.
#[cold]
#[inline(never)]
pub(crate) fn levels<const N: usize>(top: i32, x: &[f32; N]) -> [u8; N] {
    let descent = alone(top, x);
    if descent.nothing != 0 {
        return [0; N];
    }
    descent.levels.map(|level| (level as i32 + top) as u8)
}

/// The descent of one group with the reference's wrapping conversion.
#[cold]
#[inline(never)]
fn alone<const N: usize>(top: i32, x: &[f32; N]) -> Descent<f32, N> {
    let mut descent = Descent::start(top, *x);
    descent.descend::<true>(top);
    descent
}

/// `level` in the lanes of the mask, `present` in the others, which are whole numbers.
///
/// A plain choice that is stored where `present` lies becomes a masked store, whose bytes the next load has to wait for:
/// three times slower in all.
#[inline(always)]
pub(super) fn moved<V: Lanes>(mask: V::Mask, level: V, present: V) -> V {
    present + V::select(mask, level - present, V::splat(0.0))
}

/// A group in every lane, and its levels so far.
struct Descent<V: Lanes, const N: usize> {
    x: [V; N],
    levels: [V; N],
    /// sum(w x l) and sum(w l l).
    sum_lx: V,
    sum_ll: V,
    /// Groups of zeros.
    nothing: V::Mask,
}

/// What the descent finds at one weight.
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

impl<V: Lanes, const N: usize> Descent<V, N> {
    #[inline(always)]
    fn start(top: i32, x: [V; N]) -> Self {
        let zero = V::splat(0.0);
        let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
        let (mut largest, mut magnitude) = (zero, zero);
        for i in 0..N {
            let larger = x[i].abs().gt(magnitude);
            magnitude = V::select(larger, x[i].abs(), magnitude);
            largest = V::select(larger, x[i], largest);
        }
        let inverse = lowest / largest;
        let mut levels = [zero; N];
        let (mut sum_lx, mut sum_ll) = (zero, zero);
        for i in 0..N {
            let level = (inverse * x[i]).nearest().max(lowest).min(highest);
            let weight = x[i] * x[i];
            sum_lx = sum_lx + weight * x[i] * level;
            sum_ll = sum_ll + weight * level * level;
            levels[i] = level;
        }
        Descent { x, levels, sum_lx, sum_ll, nothing: V::splat(NOTHING).gt(magnitude) }
    }

    #[inline(always)]
    fn step(&self, i: usize, sum_lx: V, sum_ll: V) -> Step<V> {
        let (x, level) = (self.x[i], self.levels[i]);
        let weight = x * x;
        let product = weight * x;
        let rest_lx = sum_lx - product * level;
        let rest_ll = sum_ll - weight * level * level;
        let candidate = x * rest_ll / rest_lx;
        Step { weight, product, rest_lx, rest_ll, open: rest_lx.gt(V::splat(0.0)), candidate }
    }

    /// A bit per lane in which some weight may change its level in the first pass.
    #[inline(always)]
    fn unsettled(&self, top: i32) -> u32 {
        let zero = V::splat(0.0);
        let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
        let mut unsettled = zero.gt(zero);
        for i in 0..N {
            let step = self.step(i, self.sum_lx, self.sum_ll);
            let level = step.candidate.nearest().max(lowest).min(highest);
            let stays = level.eq(self.levels[i]).and(step.candidate.abs().le(V::splat(NEAREST_LIMIT)));
            unsettled = unsettled.or(step.open.without(stays));
        }
        unsettled.without(self.nothing).bits()
    }

    /// Runs the passes. Returns the lanes in which a value may have wrapped in rounding.
    #[inline(always)]
    fn descend<const WRAPPING: bool>(&mut self, top: i32) -> u32 {
        let zero = V::splat(0.0);
        let (lowest, highest) = (V::splat(-top as f32), V::splat((top - 1) as f32));
        let (mut sum_lx, mut sum_ll) = (self.sum_lx, self.sum_ll);
        let mut beyond = zero.gt(zero);
        for _ in 0..5 {
            let mut changed = zero.gt(zero);
            for i in 0..N {
                let Step { weight, product, rest_lx, rest_ll, open, candidate } = self.step(i, sum_lx, sum_ll);
                beyond = beyond.or(open.without(candidate.abs().le(V::splat(NEAREST_LIMIT))));
                let level = if WRAPPING { candidate.nearest_wrapping() } else { candidate.nearest() };
                let level = level.max(lowest).min(highest);
                let new_lx = rest_lx + product * level;
                let new_ll = rest_ll + weight * level * level;
                let gain = (new_lx * new_lx * sum_ll).gt(sum_lx * sum_lx * new_ll);
                let better = open.without(level.eq(self.levels[i])).and(new_ll.gt(zero)).and(gain);
                self.levels[i] = moved(better, level, self.levels[i]);
                sum_lx = V::select(better, new_lx, sum_lx);
                sum_ll = V::select(better, new_ll, sum_ll);
                changed = changed.or(better);
            }
            if !changed.without(self.nothing).any() {
                break;
            }
        }
        (self.sum_lx, self.sum_ll) = (sum_lx, sum_ll);
        beyond.without(self.nothing).bits()
    }

    #[inline(always)]
    fn scale(&self) -> V {
        let zero = V::splat(0.0);
        let scale = V::select(self.sum_ll.gt(zero), self.sum_lx / self.sum_ll, zero);
        V::select(self.nothing, zero, scale)
    }
}
