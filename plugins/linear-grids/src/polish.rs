//! Coordinate descent after rounding: scales refitted, then single codes moved, as long as the output's error falls. G is
//! damped here as it is in the factor: for matrices that few tokens reached it would else say nothing about most changes.
//!
//! With R = dW G, changing column j of a row by t changes its error by 2 t R_j + t^2 G_jj, so the best code is the one nearest
//! to w_j + dW_j - R_j / G_jj (QuantEase, arXiv 2309.01885). The best change of a group's scale for codes as they are is
//! -(v R_g) / (v G_gg v^T) with v = code - zero; it is taken if, stored in half precision, it still lowers the error. Groups
//! take turns; within one, R is exact, and what a group changed goes into R of all columns as one matrix product. The error
//! never rises.

use crate::diagonal::RUN;
use crate::feedback::LaneSteps;
use crate::grid::stored;
use crate::lanes::{LANES, Line, ZERO, add_products};
use crate::round::Panel;
use crate::{Factor, Grid, Method, Steps, products};
use faer::{MatMut, MatRef};
use llmq_tiles::Precision;
use pulp::{Arch, Simd, WithSimd};

/// Polishes codes and steps in place; gives tr(dW G dW^T), or `None` if it was stopped.
pub(crate) fn polish(
    panel: &mut Panel,
    gram: &[f32],
    factor: &Factor,
    method: &Method,
    rounds: usize,
    stop: &dyn Fn() -> bool,
) -> Option<f64> {
    let (columns, stacks) = (factor.columns(), panel.stacks);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); method.groups(columns)];
    factor.groups().iter().enumerate().for_each(|(column, group)| members[*group as usize].push(column));
    let mut changes = panel.changes(factor);
    let mut gradient = vec![ZERO; columns * stacks];
    let all: Vec<usize> = (0..columns).collect();
    add_product(&mut gradient, &changes, gram, &all, stacks);
    let ridge = factor.ridge() as f32;
    add_ridge(&mut gradient, &changes, ridge);
    for _ in 0..rounds {
        for (number, members) in members.iter().enumerate() {
            if stop() {
                return None;
            }
            let mut square: Vec<f32> =
                members.iter().flat_map(|i| members.iter().map(move |j| gram[i * columns + j])).collect();
            square.iter_mut().step_by(members.len() + 1).for_each(|value| *value += ridge);
            let mut moved = vec![ZERO; members.len() * stacks];
            for stack in 0..stacks {
                let of = |lines: &[Line]| members.iter().map(|column| lines[column * stacks + stack]).collect();
                let mut group = Group {
                    gram: &square,
                    weights: of(&panel.weights),
                    codes: of(&panel.codes),
                    changes: of(&changes),
                    gradient: of(&gradient),
                };
                let steps = &mut panel.steps[number * stacks + stack];
                Arch::new().dispatch(Turn { group: &mut group, steps, grid: method.grid });
                for (place, column) in members.iter().enumerate() {
                    let before = std::mem::replace(&mut changes[column * stacks + stack], group.changes[place]);
                    moved[place * stacks + stack] =
                        std::array::from_fn(|lane| group.changes[place][lane] - before[lane]);
                    panel.codes[column * stacks + stack] = group.codes[place];
                }
            }
            add_product(&mut gradient, &moved, gram, members, stacks);
            for (place, column) in members.iter().enumerate() {
                add_ridge(&mut gradient[column * stacks..][..stacks], &moved[place * stacks..][..stacks], ridge);
            }
        }
    }
    let product = |(change, gradient): (&f32, &f32)| {
        f64::from(*change) * (f64::from(*gradient) - f64::from(ridge) * f64::from(*change))
    };
    let error: f64 = changes.as_flattened().iter().zip(gradient.as_flattened()).map(product).sum();
    Some(error.max(0.0))
}

/// Adds the damping's share of the gradient.
fn add_ridge(gradient: &mut [Line], changes: &[Line], ridge: f32) {
    let lines = gradient.as_flattened_mut().iter_mut().zip(changes.as_flattened());
    lines.for_each(|(gradient, change)| *gradient += ridge * change);
}

/// Adds G[members, :]^T times changes of these columns to the gradient of all.
fn add_product(gradient: &mut [Line], changes: &[Line], gram: &[f32], members: &[usize], stacks: usize) {
    let (columns, rows) = (gradient.len() / stacks, members.len());
    let first = members.first().copied().unwrap_or(0);
    let together = members.iter().zip(first..).all(|(member, place)| *member == place);
    let gathered: Vec<f32>;
    let rows_of_gram = if together {
        &gram[first * columns..][..rows * columns]
    } else {
        gathered = members.iter().flat_map(|row| &gram[row * columns..][..columns]).copied().collect();
        &gathered
    };
    let rows_of_gram = MatRef::from_row_major_slice(rows_of_gram, rows, columns);
    let changes = MatRef::from_row_major_slice(changes.as_flattened(), rows, stacks * LANES);
    let out = MatMut::from_row_major_slice_mut(gradient.as_flattened_mut(), columns, stacks * LANES);
    products::add(out, rows_of_gram.transpose(), changes, Precision::Bits16);
}

/// The columns of one group.
struct Group<'a> {
    /// `[members, members]`.
    gram: &'a [f32],
    weights: Vec<Line>,
    codes: Vec<Line>,
    changes: Vec<Line>,
    gradient: Vec<Line>,
}

/// A group's turn: its scales, then its codes.
struct Turn<'a, 'g> {
    group: &'a mut Group<'g>,
    steps: &'a mut [Steps; LANES],
    grid: Grid,
}

impl WithSimd for Turn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.group.refit(simd, self.steps);
        self.group.descend(simd, &LaneSteps::of(self.steps), self.grid);
    }
}

impl Group<'_> {
    /// Sets each scale to the best one for the codes.
    #[inline(always)]
    fn refit<S: Simd>(&mut self, simd: S, steps: &mut [Steps; LANES]) {
        let mut old = LaneSteps::of(steps);
        let size = self.codes.len();
        let (mut slope, mut curve) = (ZERO, ZERO);
        // v G for every column is wanted again where a scale moves.
        let mut products = vec![ZERO; size];
        let mut shifted = self.codes.clone();
        for codes in &mut shifted {
            for lane in 0..LANES {
                codes[lane] -= old.zero[lane];
            }
        }
        add_products(simd, &mut products, |number| &self.gram[number * size..][..size], &shifted);
        for ((v, product), gradient) in shifted.iter().zip(&products).zip(&self.gradient) {
            for lane in 0..LANES {
                slope[lane] += v[lane] * gradient[lane];
                curve[lane] += v[lane] * product[lane];
            }
        }
        let mut by = ZERO;
        for lane in 0..LANES {
            let wanted = old.scale[lane] - slope[lane] / curve[lane];
            // Not a number where all codes are zero; of the other sign where they were chosen for other weights.
            if wanted.is_finite() && wanted * old.scale[lane] > 0.0 {
                let scale = stored(wanted);
                let change = scale - old.scale[lane];
                if 2.0 * change * slope[lane] + change * change * curve[lane] < 0.0 {
                    by[lane] = change;
                    steps[lane].scale = scale;
                    old.rescale(lane, scale);
                }
            }
        }
        for (((codes, weights), change), (gradient, product)) in
            (self.codes.iter().zip(&self.weights)).zip(&mut self.changes).zip(self.gradient.iter_mut().zip(&products))
        {
            let values = old.values(codes);
            for lane in 0..LANES {
                if by[lane] != 0.0 {
                    change[lane] = values[lane] - weights[lane];
                    gradient[lane] += by[lane] * product[lane];
                }
            }
        }
    }

    /// Moves each code to the best one, all others as they are.
    #[inline(always)]
    fn descend<S: Simd>(&mut self, simd: S, steps: &LaneSteps, grid: Grid) {
        let size = self.codes.len();
        for first in (0..size).step_by(RUN) {
            let end = size.min(first + RUN);
            let mut moved = [ZERO; RUN];
            for number in first..end {
                let row = &self.gram[number * size..][..size];
                if row[number] <= 0.0 {
                    continue;
                }
                let share = row[number].recip();
                let mut wanted = ZERO;
                for lane in 0..LANES {
                    wanted[lane] =
                        self.weights[number][lane] + self.changes[number][lane] - self.gradient[number][lane] * share;
                }
                let codes = steps.codes(&wanted, grid.most());
                let values = steps.values(&codes);
                let moved = &mut moved[number - first];
                for lane in 0..LANES {
                    // A code that stays leaves its change as it is, to the bit.
                    let change = values[lane] - self.weights[number][lane];
                    moved[lane] =
                        if codes[lane] == self.codes[number][lane] { 0.0 } else { change - self.changes[number][lane] };
                    self.changes[number][lane] += moved[lane];
                }
                self.codes[number] = codes;
                add_products(simd, &mut self.gradient[first..end], |_| &row[first..end], std::slice::from_ref(moved));
            }
            // What lies outside the run has not been looked at since.
            let moved = &moved[..end - first];
            let (before, rest) = self.gradient.split_at_mut(first);
            let rows = &self.gram[first * size..end * size];
            add_products(simd, before, |number| &rows[number * size..][..first], moved);
            add_products(simd, &mut rest[end - first..], |number| &rows[number * size..][end..size], moved);
        }
    }
}
