//! Which cuts are near enough to the best one that the reference's search may end with them.
//!
//! That search keeps a cut if, in its own rounding, its ratio sum(w q x)^2 / sum(w q q) is larger than that of the cut
//! kept before it. It ends with a cut whose ratio is, but for rounding, the largest; started with a `best` slightly below the
//! largest ratio and led past all cuts below that, it keeps the same cut in the end. How far below is a matter of how
//! wrong an estimate can be, in parts of the largest ratio M. With S = sum(w |x|) and W = sum(w):
//!
//! - Every value is at least 1/8 and at most 9/8, so sum(w q q) is at least W / 64 and |sum(w q x)| at most 9/8 S. Cutting
//!   at zero shows that M is at least (7/9)^2 S^2 / W.
//! - Two ways to sum the same parts differ by at most 20 roundings of S in sum(w q x) and 12 of W in sum(w q q): by less than
//!   4e-4 M in the ratio. The inverse adds at most 3.7e-4.
//! - Of 1122 cuts, each may change what is kept by ten roundings without being better: 7e-4.
//!
//! So 1/256 is enough. This holds as long as nothing overflows or vanishes; groups where something may are searched whole.

use crate::lanes::{GROUPS, Lanes, Mask};

/// How far below the largest estimate cuts are looked at.
const NEAR: f32 = 1.0 - 1.0 / 256.0;
/// Between these, squares and products of the sums are normal numbers.
const LEAST: f32 = 1e-30;
const MOST: f32 = 1e30;

/// Parts of the sums of `C` - 1 sorted weights per lane, from which those of all pairs of cuts follow, for `K` shifts.
pub(super) struct Parts<V: Lanes, const C: usize, const K: usize> {
    /// sum(w x) below each cut.
    pub(super) products: [V; C],
    /// sum(w q x), were all values the highest. Each cut takes off what lies below it.
    pub(super) highest: [V; K],
    /// What sum(w q q) gains by each first cut, the sum of the highest values included.
    pub(super) first: [[V; K]; C],
    /// And by each second cut.
    pub(super) second: [[V; K]; C],
    /// sum(w).
    pub(super) weight: V,
}

/// Where the reference's search starts in each group.
pub(super) struct Start<const C: usize> {
    /// The ratio that a cut must exceed.
    pub(super) best: [f32; GROUPS],
    /// The groups (a bit for each) in which some second cut may exceed it, by first cut.
    pub(super) groups: [u32; C],
}

impl<const C: usize> Start<C> {
    pub(super) const NONE: Self = Start { best: [0.0; GROUPS], groups: [0; C] };

    /// Fills in the groups from `at` on.
    #[inline(always)]
    pub(super) fn fill<V: Lanes, const K: usize>(&mut self, at: usize, parts: &Parts<V, C, K>) {
        let mut tops = [V::splat(0.0); C];
        let mut top = V::splat(0.0);
        for first in 0..C {
            tops[first] = parts.top(first);
            top = tops[first].max(top);
        }
        let both = top * parts.weight;
        let inside = top.gt(V::splat(LEAST)).and(V::splat(MOST).gt(top));
        let inside = inside.and(both.gt(V::splat(LEAST))).and(V::splat(MOST).gt(both));
        let inside = inside.and(parts.weight.gt(V::splat(LEAST))).and(V::splat(MOST).gt(parts.weight));
        let best = V::select(inside, top * V::splat(NEAR), V::splat(-f32::MAX));
        best.store(&mut self.best[at..]);
        for first in 0..C {
            let near = V::select(inside, tops[first], V::splat(0.0)).gt(best);
            self.groups[first] |= near.bits() << at;
        }
    }
}

impl<V: Lanes, const C: usize, const K: usize> Parts<V, C, K> {
    /// The largest estimate with this first cut. NaN is passed over.
    #[inline(always)]
    fn top(&self, first: usize) -> V {
        let mut highest = self.highest;
        for shift in 0..K {
            highest[shift] = highest[shift] - self.products[first];
        }
        let of_first = self.first[first];
        let mut top = V::splat(0.0);
        for second in first..C {
            let product = self.products[second];
            for shift in 0..K {
                let sum_qx = product - highest[shift];
                let sum_qq = of_first[shift] + self.second[second][shift];
                top = (sum_qx * sum_qx * sum_qq.rough_inverse()).max(top);
            }
        }
        top
    }
}
