//! Error feedback within a run of columns: each column is rounded, and its error goes into the columns after it.
//!
//! ```text
//! e_i = (w_i - q_i) / U_ii          w_j -= e_i U_ij   for all j after i
//! ```
//!
//! (GPTQ, arXiv 2210.17323, algorithm 1.) The sum of e_i^2 is dW H dW^T, the very error that is to be small: so a run is
//! also how scales are judged, see [`crate::range`].

use crate::lanes::{LANES, Line, ZERO, add_products};
use crate::{Factor, Grid, Steps};
use pulp::{Arch, Simd, WithSimd};

/// Steps of the rows, one lane each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneSteps {
    pub(crate) scale: Line,
    /// 1 / scale: divisions took a quarter of the time, and decide nothing but ties.
    inverse: Line,
    pub(crate) zero: Line,
}

impl LaneSteps {
    pub(crate) fn of(steps: &[Steps; LANES]) -> LaneSteps {
        LaneSteps {
            scale: steps.map(|steps| steps.scale),
            inverse: steps.map(|steps| steps.scale.recip()),
            zero: steps.map(|steps| f32::from(steps.zero)),
        }
    }

    /// Gives one lane another scale.
    #[inline(always)]
    pub(crate) fn rescale(&mut self, lane: usize, scale: f32) {
        (self.scale[lane], self.inverse[lane]) = (scale, scale.recip());
    }

    /// Nearest codes.
    #[inline(always)]
    pub(crate) fn codes(&self, weights: &Line, most: f32) -> Line {
        let mut codes = ZERO;
        for lane in 0..LANES {
            let steps = (weights[lane] * self.inverse[lane]).round_ties_even();
            codes[lane] = (steps + self.zero[lane]).max(0.0).min(most);
        }
        codes
    }

    /// What codes stand for.
    #[inline(always)]
    pub(crate) fn values(&self, codes: &Line) -> Line {
        let mut values = ZERO;
        for lane in 0..LANES {
            values[lane] = self.scale[lane] * (codes[lane] - self.zero[lane]);
        }
        values
    }
}

/// Columns that pass their errors on to all later ones at once.
pub(crate) const RUN: usize = 8;

/// Rounds the columns at `start..start + lines.len()` of the order, with the widest instructions that the processor has. `put`
/// gets the number of each, its codes and errors e_i, and says whether to go on. Lines are left as they were compensated.
pub(crate) fn feed(
    lines: &mut [Line],
    factor: &Factor,
    start: usize,
    grid: Grid,
    steps: &LaneSteps,
    put: impl FnMut(usize, &Line, &Line) -> bool,
) {
    Arch::new().dispatch(Feed { lines, factor, start, grid, steps, put });
}

struct Feed<'a, P> {
    lines: &'a mut [Line],
    factor: &'a Factor,
    start: usize,
    grid: Grid,
    steps: &'a LaneSteps,
    put: P,
}

impl<P: FnMut(usize, &Line, &Line) -> bool> WithSimd for Feed<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Feed { lines, factor, start, grid, steps, mut put } = self;
        let most = grid.most();
        let end = start + lines.len();
        for first in (0..lines.len()).step_by(RUN) {
            let (run, rest) = lines[first..].split_at_mut(RUN.min(end - start - first));
            let from = start + first;
            let count = run.len();
            let mut taken = [ZERO; RUN];
            let mut go_on = true;
            for number in 0..count {
                let upper = &factor.row(from + number)[from + number..from + count];
                let (done, later) = run.split_at_mut(number + 1);
                let weights = &done[number];
                let codes = steps.codes(weights, most);
                let values = steps.values(&codes);
                let share = 1.0 / upper[0];
                let mut errors = ZERO;
                for lane in 0..LANES {
                    errors[lane] = (weights[lane] - values[lane]) * share;
                    taken[number][lane] = -errors[lane];
                }
                add_products(simd, later, |_| &upper[1..], &taken[number..=number]);
                go_on = put(first + number, &codes, &errors);
            }
            if !go_on {
                return;
            }
            add_products(simd, rest, |number| &factor.row(from + number)[from + count..end], &taken[..count]);
        }
    }
}
