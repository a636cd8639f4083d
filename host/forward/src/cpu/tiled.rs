//! Linear layers in tile registers.
//!
//! What registers hold are pieces of numbers. Where a matrix is small, its pieces are made once and meet a few tokens at a
//! time, whose pieces and results stay in the second cache (measured: a model 256 wide takes a sixth less time). Where it
//! is large, the pieces of all tokens are made first, and those of weights where they are wanted.

use super::linear::OUTPUTS;
use super::scratch::{left, right, scratch};
use crate::{ForwardError, Linear, Rows, Storage, Weights};
use faer::MatMut;
use llmq_tiles::{Left, Right, Tiles, product};
use rayon::prelude::*;

/// Weights of a small matrix: 1 MiB in bf16.
const FEW_WEIGHTS: usize = 1 << 19;
/// Tokens that meet a small matrix at a time.
const FEW_TOKENS: usize = 128;
/// Tokens of a tile of a large one: a multiple of 32.
const TOKENS: usize = 512;
/// Bytes that the pieces of all tokens may take: 2048 tokens of 10 Ki numbers. Beyond, tokens go by in several rounds, each
/// of which widens the weights anew.
pub(super) const PIECES: usize = 128 << 20;

/// Writes x W^T; tokens' pieces take about `pieces` bytes at most. No bit depends on how the work is cut.
pub(super) fn in_tiles(
    tiles: Tiles,
    pieces: usize,
    x: &Rows,
    linear: &Linear,
    weights: &dyn Weights,
    out: &mut Rows,
) -> Result<(), ForwardError> {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let few = inputs * outputs <= FEW_WEIGHTS;
    let whole = if few || linear.storage == Storage::InputRows { Some(linear.whole(weights)?) } else { None };
    if let (true, Some(whole)) = (few, &whole) {
        right(|right| few_weights(tiles, x, linear, whole, right, out));
        return Ok(());
    }
    let rounds = Left::bytes(x.count(), inputs).div_ceil(pieces);
    let tokens = x.count().div_ceil(rounds).next_multiple_of(TOKENS);
    for (x, out) in x.values.chunks(tokens * inputs).zip(out.values.chunks_mut(tokens * outputs)) {
        left(|left| {
            left.fill(x, inputs);
            let (left, rows) = (&*left, left.rows());
            let out = MatMut::from_row_major_slice_mut(out, rows, outputs);
            out.par_col_chunks_mut(OUTPUTS).enumerate().try_for_each(|(tile, out)| {
                right(|right| {
                    fill(right, tile * OUTPUTS, out.ncols(), linear, whole.as_deref(), weights)?;
                    out.par_row_chunks_mut(TOKENS).enumerate().for_each(|(tile, out)| {
                        product(tiles, left, tile * TOKENS / Left::BLOCK, right, out);
                    });
                    Ok::<(), ForwardError>(())
                })
            })
        })?;
    }
    Ok(())
}

fn few_weights(tiles: Tiles, x: &Rows, linear: &Linear, whole: &[f32], right: &mut Right, out: &mut Rows) {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    match linear.storage {
        Storage::OutputRows => right.fill_transposed(whole, inputs),
        Storage::InputRows => right.fill(whole, outputs, 0..outputs),
    }
    let right = &*right;
    let pieces = x.values.par_chunks(FEW_TOKENS * inputs).zip(out.values.par_chunks_mut(FEW_TOKENS * outputs));
    pieces.for_each(|(x, out)| {
        left(|left| {
            left.fill(x, inputs);
            let out = MatMut::from_row_major_slice_mut(out, left.rows(), outputs);
            product(tiles, left, 0, right, out);
        });
    });
}

/// Cuts the weights of some outputs into pieces.
fn fill(
    right: &mut Right,
    first: usize,
    outputs: usize,
    linear: &Linear,
    whole: Option<&[f32]>,
    weights: &dyn Weights,
) -> Result<(), ForwardError> {
    if let Some(whole) = whole {
        right.fill(whole, linear.outputs, first..first + outputs);
        return Ok(());
    }
    scratch(outputs * linear.inputs, |widened| {
        weights.rows(linear.weight, linear.first_row + first as u64, widened)?;
        right.fill_transposed(widened, linear.inputs);
        Ok(())
    })
}
