//! Rounding to the nearest code of steps that cut off the largest weights of a group where that costs less at the output.
//!
//! For each row and group the weights' largest magnitude m is cut to m (1 - i/20), i = 0..9, the steps that reach what is left
//! are tried, and those with the least dw_g G_gg dw_g^T are kept (AWQ's clip search, Lin et al., arXiv 2306.00978). AWQ
//! measures that on 512 tokens; the diagonal blocks of G hold it exactly for all of them. i = 0 cuts off nothing, so in this
//! measure no group gets worse; what groups do to each other is for who calls to judge.

use crate::lanes::widest;
use crate::nearest::{change, extremes};
use crate::objective::size;
use crate::{Method, Rounded, Steps};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Cuts that are tried, the first of which cuts off nothing.
const CUTS: usize = 10;
/// What each cuts off more than the one before.
const CUT: f32 = 0.05;

/// Rounds rows with the Gram matrix `[columns, columns]` of their input.
///
/// # Panics
/// If `weights` are not whole rows, or `gram` has another size.
pub fn clip(weights: &[f32], columns: usize, gram: &[f32], method: &Method) -> Rounded {
    assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
    assert_eq!(gram.len(), columns * columns, "a Gram matrix of {columns} columns");
    let rows = weights.len() / columns;
    let groups = method.groups(columns);
    let mut rounded = Rounded {
        codes: vec![0; weights.len()],
        steps: vec![Steps { scale: 1.0, zero: 0 }; rows * groups],
        error: 0.0,
        size: size(weights, gram, columns),
    };
    let mut all_changes = vec![0.0f32; weights.len()];
    for group in 0..groups {
        let start = group * method.group;
        let width = method.group.min(columns - start);
        let members: Vec<f32> = weights.chunks(columns).flat_map(|row| &row[start..start + width]).copied().collect();
        for (row, steps) in chosen(&members, width, gram, columns, start, method).into_iter().enumerate() {
            rounded.steps[row * groups + group] = steps;
            let place = row * columns + start..row * columns + start + width;
            let members = &members[row * width..(row + 1) * width];
            for (weight, code) in members.iter().zip(&mut rounded.codes[place.clone()]) {
                *code = method.grid.code(*weight, steps) as u8;
            }
            change(members, method.grid, steps, &mut all_changes[place]);
        }
    }
    rounded.error = size(&all_changes, gram, columns);
    rounded
}

/// The best steps of every row of one group's columns, `[rows, width]`.
fn chosen(members: &[f32], width: usize, gram: &[f32], columns: usize, start: usize, method: &Method) -> Vec<Steps> {
    let rows = members.len() / width;
    let grid = method.grid;
    let block = MatRef::from_row_major_slice(&gram[start * columns..(start + width) * columns], width, columns);
    let block = block.subcols(start, width);
    let reach: Vec<(f32, f32)> = members.chunks(width).map(extremes).collect();
    let mut best = vec![(f32::INFINITY, Steps { scale: 1.0, zero: 0 }); rows];
    let (mut changes, mut product) = (vec![0.0f32; members.len()], vec![0.0f32; members.len()]);
    for cut in 0..CUTS {
        let share = 1.0 - CUT * cut as f32;
        let steps: Vec<Steps> = reach
            .iter()
            .map(|(low, high)| {
                let most = high.max(-low) * share;
                grid.spanning(low.max(-most), high.min(most))
            })
            .collect();
        widest(
            #[inline(always)]
            || {
                for ((members, changes), steps) in members.chunks(width).zip(changes.chunks_mut(width)).zip(&steps) {
                    change(members, grid, *steps, changes);
                }
            },
        );
        let of = MatRef::from_row_major_slice(&changes, rows, width);
        matmul(MatMut::from_row_major_slice_mut(&mut product, rows, width), Accum::Replace, of, block, 1.0, Par::Seq);
        for (row, steps) in steps.into_iter().enumerate() {
            let places = row * width..(row + 1) * width;
            let loss: f32 = changes[places.clone()].iter().zip(&product[places]).map(|(c, p)| c * p).sum();
            if loss < best[row].0 {
                best[row] = (loss, steps);
            }
        }
    }
    best.into_iter().map(|(_, steps)| steps).collect()
}
