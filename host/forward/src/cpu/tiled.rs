//! Linear layers in tile registers.

use super::linear::OUTPUTS;
use super::scratch::{left, right, scratch};
use crate::{ForwardError, Linear, Rows, Storage, Weights};
use faer::MatMut;
use llmq_tiles::{Left, Right, Tiles};
use rayon::prelude::*;

/// Tokens of a tile in tile registers: a multiple of 32.
const SHORT_TOKENS: usize = 512;
/// Bytes that the pieces of all tokens may take: 2048 tokens of 10 Ki numbers. Beyond, tokens go by in several rounds, each
/// of which widens the weights anew.
pub(super) const PIECES: usize = 128 << 20;

/// x W^T in tile registers. What they hold are pieces of numbers: those of all tokens are made first, those of weights where
/// they are wanted.
pub(super) fn in_tiles(
    tiles: Tiles,
    pieces: usize,
    x: &Rows,
    linear: &Linear,
    weights: &dyn Weights,
    out: &mut Rows,
) -> Result<(), ForwardError> {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let rounds = Left::bytes(x.count(), inputs).div_ceil(pieces);
    let tokens = x.count().div_ceil(rounds).next_multiple_of(SHORT_TOKENS);
    let whole = match linear.storage {
        Storage::OutputRows => None,
        Storage::InputRows => Some(linear.whole(weights)?),
    };
    for (x, out) in x.values.chunks(tokens * inputs).zip(out.values.chunks_mut(tokens * outputs)) {
        left(|left| -> Result<(), ForwardError> {
            left.fill(x, inputs);
            let (left, rows) = (&*left, left.rows());
            let out = MatMut::from_row_major_slice_mut(out, rows, outputs);
            out.par_col_chunks_mut(OUTPUTS).enumerate().try_for_each(|(tile, out)| {
                right(|right| {
                    fill(right, tile * OUTPUTS, out.ncols(), linear, whole.as_deref(), weights)?;
                    out.par_row_chunks_mut(SHORT_TOKENS).enumerate().for_each(|(tile, out)| {
                        llmq_tiles::product(tiles, left, tile * SHORT_TOKENS / Left::BLOCK, right, out);
                    });
                    Ok(())
                })
            })
        })?;
    }
    Ok(())
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
