//! Rounding a matrix so that its output changes least: GPTQ with scales that are tried out, and a polish afterwards.
//!
//! Wanted are codes and steps with small tr(dW G dW^T), where dW is what rounding changes and G = sum x x^T of the inputs:
//! the squared change of the output over all tokens. Columns are rounded in the order of the factor; each run of a group's
//! columns gets its steps from the weights as they have been compensated by then ([`crate::range`]), is rounded with
//! feedback ([`crate::feedback`]), and its errors go into all later columns at once, as one matrix product (GPTQ's lazy
//! updates). Rows do not see each other, so any rows can be handed in, and 32 are worked on side by side.

use crate::feedback::{LaneSteps, feed};
use crate::lanes::{LANES, Line, ZERO, gather, widest};
use crate::objective::size;
use crate::polish::polish;
use crate::range;
use crate::{Factor, Method, Steps};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Columns whose errors are collected before they go into all later columns.
const BLOCK: usize = 128;

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
///
/// # Panics
/// If `weights` are not whole rows, or `gram` has another size than the factor.
pub fn round(weights: &[f32], gram: &[f32], factor: &Factor, method: &Method) -> Rounded {
    let columns = factor.columns();
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
    assert_eq!(gram.len(), columns * columns, "a Gram matrix of {columns} columns");
    let mut rounded = Rounded::default();
    for weights in weights.chunks(LANES * columns) {
        let mut block = Block::of(weights, factor, method);
        block.round(factor, method);
        let natural = gather(weights, columns, 0..columns);
        let error = match method.polish {
            0 => block.error(&natural, factor),
            rounds => polish(&mut block, &natural, gram, factor, method, rounds),
        };
        let rows = weights.len() / columns;
        rounded.error += error[..rows].iter().sum::<f64>();
        rounded.size += size(weights, gram, columns);
        block.put(rows, &mut rounded);
    }
    rounded
}

/// Up to [`LANES`] rows at work.
pub(crate) struct Block {
    /// Weights in the order of the factor, compensated so far.
    lines: Vec<Line>,
    /// Codes in natural order.
    pub(crate) codes: Vec<Line>,
    /// Steps by group.
    pub(crate) steps: Vec<[Steps; LANES]>,
    /// Sums of e_i^2.
    squares: [f64; LANES],
}

impl Block {
    fn of(weights: &[f32], factor: &Factor, method: &Method) -> Block {
        let columns = factor.columns();
        Block {
            lines: gather(weights, columns, factor.order().iter().map(|column| *column as usize)),
            codes: vec![ZERO; columns],
            steps: vec![[Steps { scale: 1.0, zero: 0 }; LANES]; method.groups(columns)],
            squares: [0.0; LANES],
        }
    }

    fn round(&mut self, factor: &Factor, method: &Method) {
        let mut errors = Vec::new();
        for (places, group) in factor.runs() {
            let steps = range::choose(&self.lines[places.clone()], factor, places.start, method);
            self.steps[*group as usize] = steps;
            let steps = LaneSteps::of(&steps);
            for start in places.clone().step_by(BLOCK) {
                let end = places.end.min(start + BLOCK);
                errors.clear();
                let (lines, codes) = (&mut self.lines[start..end], &mut self.codes);
                let mut squares = ZERO;
                widest(
                    #[inline(always)]
                    || {
                        feed(lines, factor, start, method.grid, &steps, |number, line, e| {
                            codes[factor.order()[start + number] as usize] = *line;
                            for lane in 0..LANES {
                                squares[lane] += e[lane] * e[lane];
                            }
                            errors.push(*e);
                        });
                    },
                );
                for (sum, squares) in self.squares.iter_mut().zip(squares) {
                    *sum += f64::from(squares);
                }
                self.pass_on(&errors, factor, start, end);
            }
        }
    }

    /// Takes the errors of the columns at `start..end` out of all later ones.
    fn pass_on(&mut self, errors: &[Line], factor: &Factor, start: usize, end: usize) {
        let columns = factor.columns();
        if end == columns {
            return;
        }
        let upper = MatRef::from_row_major_slice(&factor.upper()[start * columns..end * columns], end - start, columns);
        let errors = MatRef::from_row_major_slice(errors.as_flattened(), end - start, LANES);
        let rest = MatMut::from_row_major_slice_mut(self.lines[end..].as_flattened_mut(), columns - end, LANES);
        matmul(rest, Accum::Add, upper.subcols(end, columns - end).transpose(), errors, -1.0, Par::Seq);
    }

    /// What the codes stand for, less the weights, in natural order.
    pub(crate) fn changes(&self, natural: &[Line], factor: &Factor) -> Vec<Line> {
        let steps: Vec<LaneSteps> = self.steps.iter().map(LaneSteps::of).collect();
        let change = |((codes, weights), group): ((&Line, &Line), &u32)| {
            let mut change = steps[*group as usize].values(codes);
            change.iter_mut().zip(weights).for_each(|(change, weight)| *change -= weight);
            change
        };
        self.codes.iter().zip(natural).zip(factor.groups()).map(change).collect()
    }

    /// dW G dW^T of every row: the squares are those of the damped matrix.
    fn error(&self, natural: &[Line], factor: &Factor) -> [f64; LANES] {
        let mut error = self.squares;
        for change in self.changes(natural, factor) {
            for (error, change) in error.iter_mut().zip(change) {
                *error -= factor.ridge() * f64::from(change).powi(2);
            }
        }
        error.map(|error| error.max(0.0))
    }

    fn put(&self, rows: usize, rounded: &mut Rounded) {
        for lane in 0..rows {
            rounded.codes.extend(self.codes.iter().map(|line| line[lane] as u8));
            rounded.steps.extend(self.steps.iter().map(|steps| steps[lane]));
        }
    }
}
