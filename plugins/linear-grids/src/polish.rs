//! Coordinate descent after rounding: scales refitted, then single codes moved, as long as the output's error falls.
//!
//! With R = dW G, changing column j of a row by t changes its error by 2 t R_j + t^2 G_jj, so the best code is the one nearest
//! to w_j + dW_j - R_j / G_jj (QuantEase, arXiv 2309.01885). The best change of a group's scale for codes as they are is
//! -(v R_g) / (v G_gg v^T) with v = code - zero; it is taken if, stored in half precision, it still lowers the error. Groups
//! take turns; within one, R is exact, and what a group changed goes into R of all columns as one matrix product. The error
//! never rises.

use crate::feedback::LaneSteps;
use crate::grid::stored;
use crate::lanes::{LANES, Line, ZERO, widest};
use crate::round::Block;
use crate::{Factor, Grid, Method, Steps};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Polishes codes and steps in place; gives dW G dW^T of every row.
pub(crate) fn polish(
    block: &mut Block,
    natural: &[Line],
    gram: &[f32],
    factor: &Factor,
    method: &Method,
    rounds: usize,
) -> [f64; LANES] {
    let columns = factor.columns();
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); method.groups(columns)];
    factor.groups().iter().zip(0..).for_each(|(group, column)| members[*group as usize].push(column));
    let mut changes = block.changes(natural, factor);
    let mut gradient = vec![ZERO; columns];
    let all: Vec<u32> = (0..columns as u32).collect();
    add_product(&mut gradient, &changes, gram, &all);
    for _ in 0..rounds {
        for (members, steps) in members.iter().zip(&mut block.steps) {
            let of_group = |column: &u32| *column as usize;
            let mut group = Group {
                gram: members
                    .iter()
                    .flat_map(|i| members.iter().map(|j| gram[of_group(i) * columns + of_group(j)]))
                    .collect(),
                weights: members.iter().map(|column| natural[of_group(column)]).collect(),
                codes: members.iter().map(|column| block.codes[of_group(column)]).collect(),
                changes: members.iter().map(|column| changes[of_group(column)]).collect(),
                gradient: members.iter().map(|column| gradient[of_group(column)]).collect(),
            };
            widest(
                #[inline(always)]
                || {
                    group.refit(steps);
                    group.descend(&LaneSteps::of(steps), method.grid);
                },
            );
            let mut moved = Vec::with_capacity(members.len());
            for (number, column) in members.iter().enumerate() {
                let before = std::mem::replace(&mut changes[of_group(column)], group.changes[number]);
                moved.push(std::array::from_fn(|lane| group.changes[number][lane] - before[lane]));
                block.codes[of_group(column)] = group.codes[number];
            }
            add_product(&mut gradient, &moved, gram, members);
        }
    }
    let mut error = [0.0; LANES];
    for (change, gradient) in changes.iter().zip(&gradient) {
        for lane in 0..LANES {
            error[lane] += f64::from(change[lane]) * f64::from(gradient[lane]);
        }
    }
    error.map(|error| error.max(0.0))
}

/// Adds G[members, :]^T times changes of these columns to the gradient of all.
fn add_product(gradient: &mut [Line], changes: &[Line], gram: &[f32], members: &[u32]) {
    let columns = gradient.len();
    let rows = members.len();
    let first = members.first().map_or(0, |first| *first as usize);
    let together = members.iter().zip(first as u32..).all(|(member, place)| *member == place);
    let gathered: Vec<f32>;
    let rows_of_gram = if together {
        &gram[first * columns..][..rows * columns]
    } else {
        gathered = members.iter().flat_map(|row| &gram[*row as usize * columns..][..columns]).copied().collect();
        &gathered
    };
    let rows_of_gram = MatRef::from_row_major_slice(rows_of_gram, rows, columns);
    let changes = MatRef::from_row_major_slice(changes.as_flattened(), rows, LANES);
    let out = MatMut::from_row_major_slice_mut(gradient.as_flattened_mut(), columns, LANES);
    matmul(out, Accum::Add, rows_of_gram.transpose(), changes, 1.0, Par::Seq);
}

/// The columns of one group.
struct Group {
    /// `[members, members]`.
    gram: Vec<f32>,
    weights: Vec<Line>,
    codes: Vec<Line>,
    changes: Vec<Line>,
    gradient: Vec<Line>,
}

impl Group {
    /// Sets each scale to the best one for the codes.
    #[inline(always)]
    fn refit(&mut self, steps: &mut [Steps; LANES]) {
        let mut old = LaneSteps::of(steps);
        let size = self.codes.len();
        let (mut slope, mut curve) = (ZERO, ZERO);
        // v G for every column is wanted again where a scale moves.
        let mut products = vec![ZERO; size];
        for (number, codes) in self.codes.iter().enumerate() {
            let mut v = ZERO;
            for lane in 0..LANES {
                v[lane] = codes[lane] - old.zero[lane];
            }
            for (product, g) in products.iter_mut().zip(&self.gram[number * size..]) {
                for lane in 0..LANES {
                    product[lane] += v[lane] * g;
                }
            }
        }
        for ((codes, product), gradient) in self.codes.iter().zip(&products).zip(&self.gradient) {
            for lane in 0..LANES {
                let v = codes[lane] - old.zero[lane];
                slope[lane] += v * gradient[lane];
                curve[lane] += v * product[lane];
            }
        }
        let mut by = ZERO;
        for lane in 0..LANES {
            let wanted = old.scale[lane] - slope[lane] / curve[lane];
            // Not a number where all codes are zero; below zero where they were chosen for other weights.
            if wanted.is_finite() && wanted > 0.0 {
                let scale = stored(wanted);
                let change = scale - old.scale[lane];
                if 2.0 * change * slope[lane] + change * change * curve[lane] < 0.0 {
                    by[lane] = change;
                    steps[lane].scale = scale;
                    old.scale[lane] = scale;
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
    fn descend(&mut self, steps: &LaneSteps, grid: Grid) {
        let size = self.codes.len();
        for number in 0..size {
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
            let mut moved = ZERO;
            for lane in 0..LANES {
                // A code that stays leaves its change as it is, to the bit.
                let change = values[lane] - self.weights[number][lane];
                moved[lane] =
                    if codes[lane] == self.codes[number][lane] { 0.0 } else { change - self.changes[number][lane] };
                self.changes[number][lane] += moved[lane];
            }
            self.codes[number] = codes;
            for (gradient, g) in self.gradient.iter_mut().zip(row) {
                for lane in 0..LANES {
                    gradient[lane] += moved[lane] * g;
                }
            }
        }
    }
}
