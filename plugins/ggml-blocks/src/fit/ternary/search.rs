//! The reference's search over all cuts of one group, led past what cannot be kept.

use super::Cut;
use super::estimate::Start;
use crate::lanes::{Lanes, Mask};

/// What the cuts of one group give, under each of its shifts.
pub(super) trait Cuts<const SHIFTS: usize> {
    /// sum(w q x) and sum(w q q) with each shift, for a first cut and the second cuts from `second` on.
    fn cut<V: Lanes>(&self, first: usize, second: usize) -> [(V, V); SHIFTS];
}

/// The best cut of group `g`, the earliest among equals.
#[inline(always)]
pub(super) fn search<V: Lanes, const CUTS: usize, const SHIFTS: usize>(
    sums: &impl Cuts<SHIFTS>,
    start: &Start<CUTS>,
    g: usize,
) -> Option<Cut> {
    let mut best = start.best[g];
    let mut kept = None;
    for first in 0..CUTS {
        if start.groups[first] & 1 << g == 0 {
            continue;
        }
        for stretch in (first..CUTS).step_by(V::COUNT) {
            let mut better = 0;
            for (sum_qx, sum_qq) in sums.cut::<V>(first, stretch) {
                better |= sum_qq.gt(V::splat(0.0)).and((sum_qx * sum_qx).gt(V::splat(best) * sum_qq)).bits();
            }
            // Nothing lies beyond the last cut.
            better &= (1u64 << (CUTS - stretch)).wrapping_sub(1) as u32;
            while better != 0 {
                let second = stretch + better.trailing_zeros() as usize;
                better &= better - 1;
                for (shift, (sum_qx, sum_qq)) in sums.cut::<f32>(first, second).into_iter().enumerate() {
                    if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
                        let scale = sum_qx / sum_qq;
                        best = scale * sum_qx;
                        kept = Some(Cut { scale, first, second, shift });
                    }
                }
            }
        }
    }
    kept
}
