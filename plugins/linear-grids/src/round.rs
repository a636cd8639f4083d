//! Rounding a matrix so that its output changes least: GPTQ with scales that are tried out, and a polish afterwards.
//!
//! Wanted are codes and steps with small tr(dW G dW^T), where dW is what rounding changes and G = sum x x^T of the inputs:
//! the squared change of the output over all tokens. Columns are rounded in the order of the factor; each run of a group's
//! columns gets its steps from the weights as they have been compensated by then ([`crate::range`]), is rounded with
//! feedback ([`crate::feedback`]), and its errors go into all later columns at once, as one matrix product (GPTQ's lazy
//! updates). Rows do not see each other, so any rows can be handed in; 32 are worked on side by side, and eight times as many share their products.

use crate::diagonal::Diagonal;
use crate::feedback::{LaneSteps, feed};
use crate::lanes::{LANES, Line, ZERO};
use crate::objective::size_of_lines;
use crate::polish::polish;
use crate::range::{Columns, choose};
use crate::{Factor, Method, Steps, products};
use faer::{MatMut, MatRef};
use llmq_tiles::Precision;

/// Columns whose errors are collected before they go into all later columns.
const BLOCK: usize = 128;

/// Columns that are turned from rows into lines, or back, together: their lines stay in the second cache.
const TURNED: usize = 64;

/// Stacks of [`LANES`] rows that share a product: with 32 rows products ran at a quarter of their speed with 256.
const STACKS: usize = 8;

/// A rounded matrix, or some rows of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rounded {
    /// Codes, `[rows, columns]`.
    pub codes: Vec<u8>,
    /// Steps, `[rows, groups]`.
    pub steps: Vec<Steps>,
    /// tr(dW G dW^T): what the rounding changes at the output, summed over the calibration's tokens.
    pub error: f64,
    /// tr(W G W^T): the output itself.
    pub size: f64,
}

/// Rounds rows with the Gram matrix `[columns, columns]` of their input and its factor, which was made by the same method.
/// `stop` is asked every few milliseconds of work; `None` if it said so.
///
/// # Panics
/// If `weights` are not whole rows, or `gram` has another size than the factor.
pub fn round(
    weights: &[f32],
    gram: &[f32],
    factor: &Factor,
    method: &Method,
    stop: &dyn Fn() -> bool,
) -> Option<Rounded> {
    let columns = factor.columns();
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
    assert_eq!(gram.len(), columns * columns, "a Gram matrix of {columns} columns");
    let mut rounded = Rounded::default();
    for weights in Panel::chunks(weights, columns) {
        let mut panel = Panel::of(weights, factor, method);
        panel.round(factor, method, stop)?;
        let error = match method.polish {
            0 => panel.error(factor),
            rounds => polish(&mut panel, gram, factor, method, rounds, stop)?,
        };
        rounded.error += error;
        rounded.size += size_of_lines(&panel.weights, gram, columns, stop)?;
        panel.put(weights.len() / columns, &mut rounded);
    }
    Some(rounded)
}

/// Rows side by side: the lines of the stacks of one column behind each other. Lanes without a row are zero.
pub(crate) fn turned(rows: &[f32], columns: usize) -> Vec<Line> {
    let stacks = rows.len().div_ceil(LANES * columns);
    let mut turned = vec![ZERO; columns * stacks];
    for (tile, lines) in turned.chunks_mut(TURNED * stacks).enumerate() {
        for (number, row) in rows.chunks(columns).enumerate() {
            let (stack, lane) = (number / LANES, number % LANES);
            for (weight, lines) in row[tile * TURNED..].iter().zip(lines.chunks_exact_mut(stacks)) {
                lines[stack][lane] = *weight;
            }
        }
    }
    turned
}

/// Up to [`STACKS`] times [`LANES`] rows at work. Lines of the stacks of one column stand behind each other.
pub(crate) struct Panel {
    /// Stacks.
    pub(crate) stacks: usize,
    /// Weights in the order of the factor, compensated so far.
    lines: Vec<Line>,
    /// Weights in natural order.
    pub(crate) weights: Vec<Line>,
    /// Codes in natural order.
    pub(crate) codes: Vec<Line>,
    /// Steps by group.
    pub(crate) steps: Vec<[Steps; LANES]>,
    /// Sum of all e_i^2.
    squares: f64,
}

impl Panel {
    /// Rows that make one panel at a time.
    pub(crate) fn chunks(weights: &[f32], columns: usize) -> std::slice::Chunks<'_, f32> {
        weights.chunks(STACKS * LANES * columns)
    }

    pub(crate) fn of(rows: &[f32], factor: &Factor, method: &Method) -> Panel {
        let columns = factor.columns();
        let weights = turned(rows, columns);
        let stacks = weights.len() / columns;
        Panel {
            stacks,
            lines: factor
                .order()
                .iter()
                .flat_map(|column| &weights[*column as usize * stacks..][..stacks])
                .copied()
                .collect(),
            codes: vec![ZERO; columns * stacks],
            steps: vec![[Steps { scale: 1.0, zero: 0 }; LANES]; method.groups(columns) * stacks],
            weights,
            squares: 0.0,
        }
    }

    pub(crate) fn round(&mut self, factor: &Factor, method: &Method, stop: &dyn Fn() -> bool) -> Option<()> {
        let stacks = self.stacks;
        for (places, group) in factor.runs() {
            let columns = Columns::of(factor, places.clone());
            for stack in 0..stacks {
                let lines: Vec<Line> = self.stack(places.clone(), stack);
                self.steps[*group as usize * stacks + stack] = choose(&lines, &columns, method);
            }
            for start in places.clone().step_by(BLOCK) {
                if stop() {
                    return None;
                }
                let end = places.end.min(start + BLOCK);
                let own;
                let diagonal = match &columns {
                    Columns::Few(diagonal) if places.len() <= BLOCK => diagonal,
                    _ => {
                        own = Diagonal::of(factor, start, end - start);
                        &own
                    }
                };
                let mut taken = vec![ZERO; (end - start) * stacks];
                for stack in 0..stacks {
                    let mut lines = self.stack(start..end, stack);
                    let steps = LaneSteps::of(&self.steps[*group as usize * stacks + stack]);
                    let codes = &mut self.codes;
                    let mut squares = ZERO;
                    feed(
                        &mut lines,
                        diagonal,
                        method.grid,
                        &steps,
                        #[inline(always)]
                        |number, line, e| {
                            codes[factor.order()[start + number] as usize * stacks + stack] = *line;
                            for lane in 0..LANES {
                                squares[lane] += e[lane] * e[lane];
                            }
                            taken[number * stacks + stack] = e.map(|e| -e);
                            true
                        },
                    );
                    self.squares += squares.iter().map(|squares| f64::from(*squares)).sum::<f64>();
                }
                self.pass_on(&taken, factor, start, end);
            }
        }
        Some(())
    }

    fn stack(&self, places: std::ops::Range<usize>, stack: usize) -> Vec<Line> {
        places.map(|place| self.lines[place * self.stacks + stack]).collect()
    }

    /// Takes the errors of the columns at `start..end` out of all later ones: `taken` are the errors, negated.
    fn pass_on(&mut self, taken: &[Line], factor: &Factor, start: usize, end: usize) {
        let (columns, width) = (factor.columns(), self.stacks * LANES);
        if end == columns {
            return;
        }
        let upper = MatRef::from_row_major_slice(&factor.upper()[start * columns..end * columns], end - start, columns);
        let taken = MatRef::from_row_major_slice(taken.as_flattened(), end - start, width);
        let rest = self.lines[end * self.stacks..].as_flattened_mut();
        let rest = MatMut::from_row_major_slice_mut(rest, columns - end, width);
        products::add(rest, upper.subcols(end, columns - end).transpose(), taken, Precision::Bits16);
    }

    /// tr(dW H dW^T) with the damped matrix.
    pub(crate) fn squares(&self) -> f64 {
        self.squares
    }

    /// What the codes stand for, less the weights.
    pub(crate) fn changes(&self, factor: &Factor) -> Vec<Line> {
        let steps: Vec<LaneSteps> = self.steps.iter().map(LaneSteps::of).collect();
        let change = |(index, (codes, weights)): (usize, (&Line, &Line))| {
            let group = factor.groups()[index / self.stacks] as usize;
            let mut change = steps[group * self.stacks + index % self.stacks].values(codes);
            change.iter_mut().zip(weights).for_each(|(change, weight)| *change -= weight);
            change
        };
        self.codes.iter().zip(&self.weights).enumerate().map(change).collect()
    }

    /// tr(dW G dW^T): the squares are those of the damped matrix. Lanes without a row are zero and change nothing.
    fn error(&self, factor: &Factor) -> f64 {
        let squares = |line: Line| line.iter().map(|change| f64::from(*change).powi(2)).sum::<f64>();
        let changes: f64 = self.changes(factor).into_iter().map(squares).sum();
        (self.squares - factor.ridge() * changes).max(0.0)
    }

    fn put(&self, rows: usize, rounded: &mut Rounded) {
        let columns = self.codes.len() / self.stacks;
        let first = rounded.codes.len();
        rounded.codes.resize(first + rows * columns, 0);
        for (tile, lines) in self.codes.chunks(TURNED * self.stacks).enumerate() {
            for (row, codes) in rounded.codes[first..].chunks_mut(columns).enumerate() {
                let (stack, lane) = (row / LANES, row % LANES);
                for (code, lines) in codes[tile * TURNED..].iter_mut().zip(lines.chunks_exact(self.stacks)) {
                    *code = lines[stack][lane] as u8;
                }
            }
        }
        for row in 0..rows {
            let (stack, lane) = (row / LANES, row % LANES);
            rounded.steps.extend(self.steps.chunks(self.stacks).map(|steps| steps[stack][lane]));
        }
    }
}
