//! Sums of all tries, and of a single choice of points.

use super::{Group, ROOM, odds, small};
use crate::codebook::Codebook;
use crate::lanes::{Lanes, Mask, SHORT};

/// sum(w x q) and sum(w q q) of all tries, for q = 2 * c + 1.
pub(super) struct Sums {
    qx: [f32; ROOM],
    qq: [f32; ROOM],
}

impl Sums {
    #[inline(always)]
    pub(super) fn of_tries<S: Lanes, const N: usize, const W: usize, const E: usize>(
        group: &Group<W>,
        points: &[[f32; ROOM]; E],
        count: usize,
    ) -> Self {
        let mut sums = Sums { qx: [0.0; ROOM], qq: [0.0; ROOM] };
        let mut at = 0;
        while at < count {
            at += match (count - at).div_ceil(S::COUNT) {
                1 => sums.beside::<S, N, W, E, 1>(group, points, at),
                2 => sums.beside::<S, N, W, E, 2>(group, points, at),
                3 => sums.beside::<S, N, W, E, 3>(group, points, at),
                _ => sums.beside::<S, N, W, E, 4>(group, points, at),
            };
        }
        sums
    }

    /// The try that wins: each that beats the best before it takes its place. With its scale.
    #[inline(always)]
    pub(super) fn winner<S: Lanes>(&self, count: usize) -> Option<(usize, f32)> {
        let mut winner = None;
        let mut best = 0.0;
        for at in (0..count).step_by(S::COUNT) {
            let (qx, qq) = (S::load(&self.qx[at..]), S::load(&self.qq[at..]));
            let scale = qx / qq;
            let (mut scales, mut bests) = ([0.0; SHORT], [0.0; SHORT]);
            scale.store(&mut scales);
            (scale * qx).store(&mut bests);
            let mut ahead = u32::MAX >> (32 - (count - at).min(S::COUNT));
            loop {
                let better = ahead & qq.gt(S::splat(0.0)).and((qx * qx).gt(S::splat(best) * qq)).bits();
                if better == 0 {
                    break;
                }
                let lane = better.trailing_zeros() as usize;
                best = bests[lane];
                winner = Some((at + lane, scales[lane]));
                // Those up to it had their turn. Those that lost to the best before meet the new one, which rounding may
                // have made smaller.
                ahead &= !1 << lane;
            }
        }
        winner
    }

    /// The sums in the lanes of `C` vectors from `at` on; returns their number.
    #[inline(always)]
    fn beside<S: Lanes, const N: usize, const W: usize, const E: usize, const C: usize>(
        &mut self,
        group: &Group<W>,
        points: &[[f32; ROOM]; E],
        at: usize,
    ) -> usize {
        let odds = const { odds::<N>() };
        let (mut sum_qx, mut sum_qq) = ([S::splat(0.0); C], [S::splat(0.0); C]);
        for e in 0..E {
            let mut here = [S::splat(0.0); C];
            for c in 0..C {
                here[c] = S::load(&points[e][at + c * S::COUNT..]);
            }
            let (x, weights) = (small::<_, N, W>(group.x, e), small::<_, N, W>(group.weights, e));
            for i in 0..N {
                let (mut products, mut squares) = ([0.0; 8], [0.0; 8]);
                for c in (0..8).step_by(S::COUNT) {
                    let (weight, q) = (S::splat(weights[i]), S::load(&odds[c..]));
                    (weight * S::splat(x[i]) * q).store(&mut products[c..]);
                    (weight * q * q).store(&mut squares[c..]);
                }
                for c in 0..C {
                    sum_qx[c] = sum_qx[c] + here[c].of_coordinate::<N>(i, &products);
                    sum_qq[c] = sum_qq[c] + here[c].of_coordinate::<N>(i, &squares);
                }
            }
        }
        for c in 0..C {
            sum_qx[c].store(&mut self.qx[at + c * S::COUNT..]);
            sum_qq[c].store(&mut self.qq[at + c * S::COUNT..]);
        }
        C * S::COUNT
    }
}

/// sum(w x q) and sum(w q q) for q = 2 * c + 1.
#[inline(always)]
pub(super) fn sums<const N: usize, const W: usize, const E: usize>(group: &Group<W>, points: &[u16; E]) -> (f32, f32) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Kernel, Path, run};

    struct Winners;

    impl Kernel for Winners {
        fn run<V: Lanes>(self) {
            let mut state = 3u64;
            let mut unit = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1u64 << 24) as f32
            };
            for round in 0..20_000 {
                let (mut sums, count) = (Sums { qx: [0.0; ROOM], qq: [0.0; ROOM] }, 1 + round % 31);
                // Mostly a few floats apart: then rounding decides.
                let apart = if round % 4 == 0 { 1.0 } else { 3e-7 };
                for k in 0..count {
                    (sums.qx[k], sums.qq[k]) = (1.3 + apart * unit(), 1.7 + apart * unit());
                    if round % 7 == 0 && unit() < 0.3 {
                        sums.qq[k] = 0.0;
                    }
                }
                let (mut best, mut want) = (0.0, None);
                for k in 0..count {
                    let (qx, qq) = (sums.qx[k], sums.qq[k]);
                    if qq > 0.0 && qx * qx > best * qq {
                        best = qx / qq * qx;
                        want = Some((k, qx / qq));
                    }
                }
                assert_eq!(sums.winner::<V::Short>(count), want);
            }
        }
    }

    #[test]
    fn the_winner_is_that_of_one_try_after_the_other() {
        for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
            run(path, Winners);
        }
    }
}
