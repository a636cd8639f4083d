//! Which steps a group gets: those with which error feedback does best, tried out.
//!
//! Widely used searches take the steps with the smallest squared error of the weights, each rounded by itself (`mse` in
//! gptqmodel), or weighed by the inputs' strength. But after rounding, feedback makes up for most of an error, and how much
//! depends on the column. Here every candidate is judged by what it is for: the group is rounded with feedback, and the sum
//! of e_i^2 is what it adds to dW H dW^T. On the models of the tests this is worth a third of the perplexity that 2 bits
//! cost. Groups longer than [`LONGEST_TRIAL`] are judged without feedback, by (w_i - q_i)^2 / U_ii^2.
//!
//! Candidates: shares of the steps that just reach all weights, evenly from `most` to `least` of [`shares`], then two more
//! around the best; for grids with a zero of their own, also both neighbours of the zero.

use crate::feedback::{LaneSteps, feed};
use crate::grid::stored;
use crate::lanes::{LANES, Line, ZERO, widest};
use crate::{Factor, Grid, Method, Steps};

/// Columns up to which feedback is tried out: its cost per weight grows with them.
const LONGEST_TRIAL: usize = 256;

/// Largest and smallest share that is tried: few bits gain from cutting much off.
fn shares(grid: Grid) -> (f32, f32) {
    match grid.bits {
        ..=2 => (1.0, 0.4),
        3 => (1.0, 0.6),
        4 => (1.05, 0.7),
        _ => (1.0, 0.9),
    }
}

/// Chooses the steps of every lane for the columns at `start..` of the order.
pub(crate) fn choose(lines: &[Line], factor: &Factor, start: usize, method: &Method) -> [Steps; LANES] {
    let grid = method.grid;
    let reaching: [Steps; LANES] = std::array::from_fn(|lane| {
        let weights: Vec<f32> = lines.iter().map(|line| line[lane]).collect();
        grid.reaching(&weights)
    });
    if method.candidates < 2 {
        return reaching;
    }
    let mut best = Best { steps: reaching, share: [1.0; LANES], loss: [f32::INFINITY; LANES] };
    let scaled = |steps: Steps, share: f32| Steps { scale: stored(steps.scale * share), ..steps };
    let (most, least) = shares(grid);
    let gap = (most - least) / (method.candidates - 1) as f32;
    for candidate in 0..method.candidates {
        let share = most - gap * candidate as f32;
        best.take([share; LANES], &reaching.map(|steps| scaled(steps, share)), |steps| {
            judge(lines, factor, start, grid, steps)
        });
    }
    let middle = best.share;
    for side in [0.5, -0.5] {
        let share = middle.map(|share| share + gap * side);
        let steps = std::array::from_fn(|lane| scaled(reaching[lane], share[lane]));
        best.take(share, &steps, |steps| judge(lines, factor, start, grid, steps));
    }
    if !grid.symmetric {
        let middle = best.steps;
        for side in [-1i16, 1] {
            let moved = |steps: Steps| Steps {
                zero: (i16::from(steps.zero) + side).clamp(0, grid.most() as i16) as u8,
                ..steps
            };
            best.take(best.share, &middle.map(moved), |steps| judge(lines, factor, start, grid, steps));
        }
    }
    best.steps
}

struct Best {
    steps: [Steps; LANES],
    share: Line,
    loss: Line,
}

impl Best {
    /// Tries steps; each lane keeps the better ones, the earlier of equals.
    fn take(&mut self, share: Line, steps: &[Steps; LANES], judge: impl FnOnce(&LaneSteps) -> Line) {
        let loss = judge(&LaneSteps::of(steps));
        for lane in 0..LANES {
            if loss[lane] < self.loss[lane] {
                (self.loss[lane], self.steps[lane], self.share[lane]) = (loss[lane], steps[lane], share[lane]);
            }
        }
    }
}

fn judge(lines: &[Line], factor: &Factor, start: usize, grid: Grid, steps: &LaneSteps) -> Line {
    widest(
        #[inline(always)]
        || {
            let mut loss = ZERO;
            if lines.len() <= LONGEST_TRIAL {
                let mut lines = lines.to_vec();
                feed(&mut lines, factor, start, grid, steps, |_, _, errors| add_squares(&mut loss, errors, 1.0));
                return loss;
            }
            for (number, line) in lines.iter().enumerate() {
                let values = steps.values(&steps.codes(line, grid.most()));
                let mut errors = ZERO;
                for lane in 0..LANES {
                    errors[lane] = line[lane] - values[lane];
                }
                add_squares(&mut loss, &errors, factor.row(start + number)[start + number].recip());
            }
            loss
        },
    )
}

#[inline(always)]
fn add_squares(sums: &mut Line, errors: &Line, share: f32) {
    for lane in 0..LANES {
        sums[lane] += (errors[lane] * share).powi(2);
    }
}
