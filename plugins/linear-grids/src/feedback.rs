//! Error feedback within a run of columns: each column is rounded, and its error goes into the columns after it.
//!
//! ```text
//! e_i = (w_i - q_i) / U_ii          w_j -= e_i U_ij   for all j after i
//! ```
//!
//! (GPTQ, arXiv 2210.17323, algorithm 1.) The sum of e_i^2 is dW H dW^T, the very error that is to be small: so a run is
//! also how scales are judged, see [`crate::range`].

use crate::diagonal::{Diagonal, RUN};
use crate::lanes::{LANES, Line, ZERO, add_eight, add_products};
use crate::{Grid, Steps};
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

/// Rounds the columns of a part of the factor, with the widest instructions that the processor has. `put` gets the number of
/// each, its codes and errors e_i, and says whether to go on. Lines are left as they were compensated.
///
/// # Panics
/// If there are fewer lines than columns.
pub(crate) fn feed(
    lines: &mut [Line],
    diagonal: &Diagonal,
    grid: Grid,
    steps: &LaneSteps,
    put: impl FnMut(usize, &Line, &Line) -> bool,
) {
    Arch::new().dispatch(Feed { lines, diagonal, grid, steps, put });
}

struct Feed<'a, P> {
    lines: &'a mut [Line],
    diagonal: &'a Diagonal,
    grid: Grid,
    steps: &'a LaneSteps,
    put: P,
}

impl<P: FnMut(usize, &Line, &Line) -> bool> WithSimd for Feed<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Feed { lines, diagonal, grid, steps, mut put } = self;
        let most = grid.most();
        let mut rest = &mut lines[..diagonal.columns()];
        for (number, factors) in diagonal.runs().iter().enumerate() {
            let (run, after) = rest.split_at_mut(RUN.min(rest.len()));
            rest = after;
            let mut taken = [ZERO; RUN];
            let mut go_on = true;
            for i in 0..run.len() {
                let (done, later) = run.split_at_mut(i + 1);
                let weights = &done[i];
                let codes = steps.codes(weights, most);
                let values = steps.values(&codes);
                let mut errors = ZERO;
                for lane in 0..LANES {
                    errors[lane] = (weights[lane] - values[lane]) * factors.shares[i];
                    taken[i][lane] = -errors[lane];
                }
                add_products(simd, later, |_| &factors.own[i][i + 1..], &taken[i..=i]);
                go_on = put(number * RUN + i, &codes, &errors);
            }
            if !go_on {
                return;
            }
            add_eight(simd, rest, diagonal.later(number), &taken);
        }
    }
}
