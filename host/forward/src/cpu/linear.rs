//! Linear layers: weights are widened tile by tile, right before the product that wants them.
//!
//! The output is cut into tiles of fixed size, and one thread computes a tile: the order of additions, and so every bit,
//! is the same for any number of threads. Tiles of 256 outputs cost little: each packs its rows anew, 1 / 512 of the
//! product's work.

use super::scratch::scratch;
use crate::{ForwardError, Linear, Rows, Storage, Weights};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Outputs of a tile.
const OUTPUTS: usize = 256;
/// Tokens of a tile.
const TOKENS: usize = 1024;

/// x W^T + b.
pub(super) fn linear(x: &Rows, linear: &Linear, weights: &dyn Weights) -> Result<Rows, ForwardError> {
    if x.columns != linear.inputs {
        return Err(ForwardError::Shape {
            what: "the input of a linear layer",
            found: x.columns,
            expected: linear.inputs,
        });
    }
    let mut out = Rows::zeros(x.count(), linear.outputs);
    if out.values.is_empty() {
        return Ok(out);
    }
    let x = MatRef::from_row_major_slice(&x.values, x.count(), x.columns);
    let whole = MatMut::from_row_major_slice_mut(&mut out.values, x.nrows(), linear.outputs);
    match linear.storage {
        Storage::OutputRows => by_rows(x, linear, weights, whole)?,
        Storage::InputRows => by_columns(x, &linear.whole(weights)?, linear, whole),
    }
    if let Some(bias) = linear.bias {
        let bias = bias.load(weights)?;
        out.values.par_chunks_mut(linear.outputs).for_each(|row| {
            row.iter_mut().zip(&bias).for_each(|(y, b)| *y += b);
        });
    }
    Ok(out)
}

fn by_rows(
    x: MatRef<'_, f32>,
    linear: &Linear,
    weights: &dyn Weights,
    out: MatMut<'_, f32>,
) -> Result<(), ForwardError> {
    let inputs = linear.inputs;
    let tiles = out.par_col_chunks_mut(OUTPUTS).enumerate();
    tiles.try_for_each(|(tile, out)| -> Result<(), ForwardError> {
        let outputs = out.ncols();
        scratch(outputs * inputs, |widened| {
            weights.rows(linear.weight, linear.first_row + (tile * OUTPUTS) as u64, widened)?;
            let w = MatRef::from_row_major_slice(widened, outputs, inputs);
            product(x, w.transpose(), out);
            Ok(())
        })
    })
}

fn by_columns(x: MatRef<'_, f32>, w: &[f32], linear: &Linear, out: MatMut<'_, f32>) {
    let w = MatRef::from_row_major_slice(w, linear.inputs, linear.outputs);
    out.par_col_chunks_mut(OUTPUTS).enumerate().for_each(|(tile, out)| {
        let outputs = out.ncols();
        product(x, w.subcols(tile * OUTPUTS, outputs), out);
    });
}

fn product(x: MatRef<'_, f32>, w: MatRef<'_, f32>, out: MatMut<'_, f32>) {
    out.par_row_chunks_mut(TOKENS).enumerate().for_each(|(tile, out)| {
        let tokens = out.nrows();
        matmul(out, Accum::Replace, x.subrows(tile * TOKENS, tokens), w, 1.0, Par::Seq);
    });
}
