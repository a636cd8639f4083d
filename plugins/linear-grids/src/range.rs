//! Which steps a group gets: those with which error feedback does best, tried out.
//!
//! Widely used searches take the steps with the smallest squared error of the weights, each rounded by itself (`mse` in
//! gptqmodel), or weighed by the inputs' strength. But after rounding, feedback makes up for most of an error, and how much
//! depends on the column. Here every candidate is judged by what it is for: the group is rounded with feedback, and the sum
//! of e_i^2 is what it adds to dW H dW^T. On the models of the tests this is worth a third of the perplexity that 2 bits
//! cost. Groups longer than [`LONGEST_TRIAL`] are judged without feedback, by (w_i - q_i)^2 / U_ii^2.
//!
//! Candidates: shares of the range that just holds all weights, evenly from `most` to `least` of [`shares`], for symmetric
//! grids with the odd code on either side; then two more around the best; for grids with a zero of their own, also either
//! end of the range by itself and both neighbours of the zero.

use crate::diagonal::Diagonal;
use crate::feedback::{LaneSteps, feed};
use crate::lanes::{LANES, Line, ZERO, widest};
use crate::{Factor, Grid, Method, Steps};
use std::ops::Range;

/// Columns up to which feedback is tried out: its cost per weight grows with them.
const LONGEST_TRIAL: usize = 256;

/// Largest and smallest share that is tried: few bits gain from cutting much off.
fn shares(grid: Grid) -> (f32, f32) {
    match grid.bits {
        ..=2 => (1.0, 0.4),
        3 => (1.0, 0.6),
        4 => (1.05, 0.77),
        _ => (1.0, 0.9),
    }
}

/// Columns of a group.
pub(crate) enum Columns<'a> {
    /// So few that feedback is tried out.
    Few(Diagonal),
    /// More, from `start` on in the order.
    Many {
        /// The factor.
        factor: &'a Factor,
        /// Place of the first.
        start: usize,
    },
}

impl Columns<'_> {
    /// Those at some places of the order.
    pub(crate) fn of(factor: &Factor, places: Range<usize>) -> Columns<'_> {
        match places.len() {
            0..=LONGEST_TRIAL => Columns::Few(Diagonal::of(factor, places.start, places.len())),
            _ => Columns::Many { factor, start: places.start },
        }
    }
}

/// Chooses the steps of every lane for the columns of a group.
pub(crate) fn choose(lines: &[Line], columns: &Columns<'_>, method: &Method) -> [Steps; LANES] {
    let mut memory = lines.to_vec();
    search(lines, method, false, |steps, least| match columns {
        Columns::Many { factor, start } => {
            squares(lines, method.grid, steps, |number| factor.row(start + number)[start + number].recip())
        }
        Columns::Few(diagonal) => {
            memory.copy_from_slice(lines);
            judge(&mut memory, diagonal, method.grid, steps, least)
        }
    })
}

/// The steps of every lane whose nearest codes have the least squared error: all that can be said of weights whose inputs
/// nobody saw. Those that just reach all weights are tried too: weights that lie on such a grid already keep it.
pub(crate) fn fitting(lines: &[Line], method: &Method) -> [Steps; LANES] {
    search(lines, method, true, |steps, _| squares(lines, method.grid, steps, |_| 1.0))
}

/// The steps with the least loss in every lane, given the least so far: a judge may stop where all lanes have more; `reaching` those that just reach all weights are among those tried.
fn search(
    lines: &[Line],
    method: &Method,
    reaching: bool,
    judge: impl FnMut(&LaneSteps, &Line) -> Line,
) -> [Steps; LANES] {
    let grid = method.grid;
    let ends: [(f32, f32); LANES] = std::array::from_fn(|lane| {
        lines.iter().fold((0.0, 0.0), |(low, high), line| (f32::min(low, line[lane]), f32::max(high, line[lane])))
    });
    let mut search = Search {
        ends,
        grid,
        best: ends.map(|(low, high)| grid.spanning(low, high)),
        shares: [(1.0, 1.0); LANES],
        loss: [f32::INFINITY; LANES],
        judge,
    };
    if method.candidates < 2 {
        return search.best;
    }
    if reaching {
        search.try_out(search.shares, search.best);
    }
    let (most, least) = shares(grid);
    let gap = (most - least) / (method.candidates - 1) as f32;
    for candidate in 0..method.candidates {
        let share = most - gap * candidate as f32;
        search.take([(share, share); LANES]);
        if grid.symmetric {
            search.take([(-share, -share); LANES]);
        }
    }
    for side in [0.5, -0.5] {
        let by = gap * side;
        let around = search.shares;
        search.take(around.map(|(low, high)| (low + by * low.signum(), high + by * high.signum())));
    }
    if !grid.symmetric {
        for by in [gap, 0.5 * gap] {
            for (low, high) in [(-by, 0.0), (by, 0.0), (0.0, -by), (0.0, by)] {
                let around = search.shares;
                search.take(around.map(|around| (around.0 + low, around.1 + high)));
            }
        }
        let middle = search.best;
        for side in [-1i16, 1] {
            let zero = |steps: Steps| {
                (i16::from(steps.zero) + side).clamp(i16::from(grid.least_zero), grid.most() as i16) as u8
            };
            search.try_out(search.shares, middle.map(|steps| Steps { zero: zero(steps), ..steps }));
        }
    }
    search.best
}

/// The best steps of every lane so far.
struct Search<J> {
    /// Smallest and largest weight, or zero.
    ends: [(f32, f32); LANES],
    grid: Grid,
    best: [Steps; LANES],
    /// Shares of the ends that the best steps span; below zero with the odd code on the other side.
    shares: [(f32, f32); LANES],
    loss: Line,
    judge: J,
}

impl<J: FnMut(&LaneSteps, &Line) -> Line> Search<J> {
    /// Tries the steps that span shares of the ends.
    fn take(&mut self, shares: [(f32, f32); LANES]) {
        let steps = std::array::from_fn(|lane| {
            let ((low, high), (of_low, of_high)) = (self.ends[lane], shares[lane]);
            let steps = self.grid.spanning(low * of_low.abs(), high * of_high.abs());
            Steps { scale: steps.scale.copysign(of_low), ..steps }
        });
        self.try_out(shares, steps);
    }

    /// Tries steps; each lane keeps the better ones, the earlier of equals.
    fn try_out(&mut self, shares: [(f32, f32); LANES], steps: [Steps; LANES]) {
        let loss = (self.judge)(&LaneSteps::of(&steps), &self.loss);
        for lane in 0..LANES {
            if loss[lane] < self.loss[lane] {
                (self.loss[lane], self.best[lane], self.shares[lane]) = (loss[lane], steps[lane], shares[lane]);
            }
        }
    }
}

/// What feedback costs with these steps, or more than `least` in every lane. Lines are changed.
fn judge(lines: &mut [Line], diagonal: &Diagonal, grid: Grid, steps: &LaneSteps, least: &Line) -> Line {
    let mut loss = ZERO;
    feed(
        lines,
        diagonal,
        grid,
        steps,
        #[inline(always)]
        |_, _, errors| {
            add_squares(&mut loss, errors, 1.0);
            // Sums only grow: what has lost already need not be rounded to its end.
            let mut open = false;
            for lane in 0..LANES {
                open |= loss[lane] < least[lane];
            }
            open
        },
    );
    loss
}

/// What the nearest codes cost if columns do not help each other, each column with its own share.
fn squares(lines: &[Line], grid: Grid, steps: &LaneSteps, share: impl Fn(usize) -> f32) -> Line {
    widest(
        #[inline(always)]
        || {
            let mut loss = ZERO;
            for (number, line) in lines.iter().enumerate() {
                let values = steps.values(&steps.codes(line, grid.most()));
                let mut errors = ZERO;
                for lane in 0..LANES {
                    errors[lane] = line[lane] - values[lane];
                }
                add_squares(&mut loss, &errors, share(number));
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
