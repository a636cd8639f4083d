//! Linear layers in tile registers.
//!
//! What registers hold are pieces of numbers. Where a matrix is small, its pieces are made once and meet a few tokens at a
//! time, whose pieces and results stay in the second cache (measured: a model 256 wide takes a sixth less time). Where it
//! is large, the pieces of all tokens are made first, and those of weights where they are wanted.

use super::activate::activate_rows;
use super::kept::Kept;
use super::linear::OUTPUTS;
use super::scratch::{left, right, scratch};
use super::spare;
use crate::{Activation, ForwardError, Linear, Rows, Storage, Weights};
use faer::{MatMut, MatRef};
use llmq_tiles::{Left, Part, Precision, Right, Start, Tiles, product};
use rayon::prelude::*;
use std::ops::Range;

/// Weights of a small matrix: 1 MiB in bf16.
const FEW_WEIGHTS: usize = 1 << 19;
/// Tokens that meet a small matrix at a time.
const FEW_TOKENS: usize = 128;
/// Tokens of a tile of a large one: a multiple of 32.
const TOKENS: usize = 512;
/// Bytes that the pieces of all tokens may take: 2048 tokens of 10 Ki numbers. Beyond, tokens go by in several rounds, each
/// of which widens the weights anew.
pub(super) const PIECES: usize = 128 << 20;

/// How products are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) tiles: Tiles,
    pub(super) precision: Precision,
    /// Small matrices in pieces.
    pub(super) kept: &'a Kept,
    /// Bytes that tokens' pieces may take, about.
    pub(super) pieces: usize,
}

/// Writes x W^T of each. No bit depends on how the work is cut, and on what else is computed.
pub(super) fn in_tiles(
    way: Way<'_>,
    x: &Rows,
    linears: &[&Linear],
    weights: &dyn Weights,
    out: &mut [Rows],
) -> Result<(), ForwardError> {
    let (mut rights, mut small) = (Vec::new(), Vec::new());
    for (linear, out) in linears.iter().zip(out).filter(|(_, out)| !out.values.is_empty()) {
        if is_small(linear) {
            rights.push(way.kept.get(linear, || pieces_of_small(way, linear, weights))?);
            small.push(out);
        } else {
            large(way, x, linear, weights, out)?;
        }
    }
    let inputs = x.columns;
    // Some tokens with their places in all results.
    let mut parts: Vec<(&[f32], Vec<&mut [f32]>)> = match small.is_empty() {
        true => Vec::new(),
        false => x.values.chunks(FEW_TOKENS * inputs).map(|x| (x, Vec::new())).collect(),
    };
    for out in small {
        let outs = out.values.chunks_mut(FEW_TOKENS * out.columns);
        parts.iter_mut().zip(outs).for_each(|((_, all), out)| all.push(out));
    }
    parts.into_par_iter().for_each(|(x, all)| {
        left(|left| {
            left.fill(MatRef::from_row_major_slice(x, x.len() / inputs, inputs), way.precision);
            for (right, out) in rights.iter().zip(all) {
                let out = MatMut::from_row_major_slice_mut(out, left.rows(), right.columns());
                product(way.tiles, left, right, Start::default(), out);
            }
        });
    });
    Ok(())
}

/// Whether a matrix is kept in pieces.
pub(super) fn is_small(linear: &Linear) -> bool {
    linear.inputs * linear.outputs <= FEW_WEIGHTS
}

/// activation(gate(x)) * up(x) of small matrices without bias: what the gate lets through is known only here, and never leaves
/// the second cache.
pub(super) fn gated_in_tiles(
    way: Way<'_>,
    x: &Rows,
    (gate, up): (&Linear, &Linear),
    activation: Activation,
    weights: &dyn Weights,
) -> Result<Rows, ForwardError> {
    let (inputs, outputs) = (x.columns, up.outputs);
    let pieces = |linear| way.kept.get(linear, || pieces_of_small(way, linear, weights));
    let (gate, up) = (pieces(gate)?, pieces(up)?);
    let mut out = spare::rows(x.count(), outputs);
    let parts = x.values.par_chunks(FEW_TOKENS * inputs).zip(out.values.par_chunks_mut(FEW_TOKENS * outputs));
    parts.for_each(|(x, out)| {
        left(|left| {
            left.fill(MatRef::from_row_major_slice(x, x.len() / inputs, inputs), way.precision);
            scratch(out.len(), |gates| {
                for (right, out) in [(&gate, &mut *gates), (&up, &mut *out)] {
                    let out = MatMut::from_row_major_slice_mut(out, left.rows(), outputs);
                    product(way.tiles, left, right, Start::default(), out);
                }
                activate_rows(activation, gates, out);
            });
        });
    });
    Ok(out)
}

/// A large matrix: its weights are widened tile by tile, unless inputs lie in its rows.
fn large(way: Way<'_>, x: &Rows, linear: &Linear, weights: &dyn Weights, out: &mut Rows) -> Result<(), ForwardError> {
    let Way { tiles, precision, pieces, .. } = way;
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let whole = if linear.storage == Storage::InputRows { Some(linear.whole(weights)?) } else { None };
    let rounds = Left::bytes(x.count(), inputs, precision).div_ceil(pieces);
    let tokens = x.count().div_ceil(rounds).next_multiple_of(TOKENS);
    for (x, out) in x.values.chunks(tokens * inputs).zip(out.values.chunks_mut(tokens * outputs)) {
        left(|left| {
            let rows = MatRef::from_row_major_slice(x, x.len() / inputs, inputs);
            left.parts(rows, precision).into_par_iter().for_each(Part::fill);
            let (left, rows) = (&*left, left.rows());
            let out = MatMut::from_row_major_slice_mut(out, rows, outputs);
            out.par_col_chunks_mut(OUTPUTS).enumerate().try_for_each(|(tile, out)| {
                right(|right| {
                    let first = tile * OUTPUTS;
                    fill(right, precision, first..first + out.ncols(), linear, whole.as_deref(), weights)?;
                    out.par_row_chunks_mut(TOKENS).enumerate().for_each(|(tile, out)| {
                        product(tiles, left, right, Start::of_row(tile * TOKENS / Left::BLOCK), out);
                    });
                    Ok::<(), ForwardError>(())
                })
            })
        })?;
    }
    Ok(())
}

/// All of a small matrix.
fn pieces_of_small(way: Way<'_>, linear: &Linear, weights: &dyn Weights) -> Result<Right, ForwardError> {
    let mut right = Right::default();
    let whole = match linear.storage {
        Storage::OutputRows => None,
        Storage::InputRows => Some(linear.whole(weights)?),
    };
    fill(&mut right, way.precision, 0..linear.outputs, linear, whole.as_deref(), weights)?;
    Ok(right)
}

/// Cuts the weights of some outputs into pieces.
fn fill(
    right: &mut Right,
    precision: Precision,
    outputs: Range<usize>,
    linear: &Linear,
    whole: Option<&[f32]>,
    weights: &dyn Weights,
) -> Result<(), ForwardError> {
    let inputs = linear.inputs;
    if let Some(whole) = whole {
        let whole = MatRef::from_row_major_slice(whole, inputs, linear.outputs);
        right.fill(whole.subcols(outputs.start, outputs.len()), precision);
        return Ok(());
    }
    scratch(outputs.len() * inputs, |widened| {
        weights.rows(linear.weight, linear.first_row + outputs.start as u64, widened)?;
        right.fill(MatRef::from_row_major_slice(widened, outputs.len(), inputs).transpose(), precision);
        Ok(())
    })
}
