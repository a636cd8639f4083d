//! Linear layers: weights are widened tile by tile, right before the product that wants them.
//!
//! The output is cut into tiles of fixed size, and one thread computes a tile: the order of additions, and so every bit,
//! is the same for any number of threads. Tiles of 256 outputs cost little: each packs its rows anew, 1 / 512 of the
//! product's work. Where the processor has tile registers, they multiply (see [`llmq_tiles`]), and a token's numbers do
//! not depend on the tokens beside it either; elsewhere faer's products in f32 do.

use super::scratch::scratch;
use super::spare;
use super::tiled::{PIECES, in_tiles};
use crate::{ForwardError, Linear, Rows, Storage, Weights};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::Tiles;
use rayon::prelude::*;

/// Outputs of a tile.
pub(super) const OUTPUTS: usize = 256;
/// Tokens of a tile.
const TOKENS: usize = 1024;

/// x W^T + b.
pub(super) fn linear(x: &Rows, linear: &Linear, weights: &dyn Weights) -> Result<Rows, ForwardError> {
    linear_with(Tiles::lent(), PIECES, x, linear, weights)
}

/// With tile registers or without, and so many bytes for pieces.
fn linear_with(
    tiles: Option<Tiles>,
    pieces: usize,
    x: &Rows,
    linear: &Linear,
    weights: &dyn Weights,
) -> Result<Rows, ForwardError> {
    if x.columns != linear.inputs {
        return Err(ForwardError::Shape {
            what: "the input of a linear layer",
            found: x.columns,
            expected: linear.inputs,
        });
    }
    let mut out = spare::rows(x.count(), linear.outputs);
    if out.values.is_empty() {
        return Ok(out);
    }
    if let (Some(tiles), 1..) = (tiles, linear.inputs) {
        in_tiles(tiles, pieces, x, linear, weights, &mut out)?;
    } else {
        let x = MatRef::from_row_major_slice(&x.values, x.count(), x.columns);
        let whole = MatMut::from_row_major_slice_mut(&mut out.values, x.nrows(), linear.outputs);
        match linear.storage {
            Storage::OutputRows => by_rows(x, linear, weights, whole)?,
            Storage::InputRows => by_columns(x, &linear.whole(weights)?, linear, whole),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Vector, WeightsError};

    struct Table(Vec<f32>);

    impl Weights for Table {
        fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), WeightsError> {
            // Tensor n has rows of n numbers.
            out.copy_from_slice(&self.0[first_row as usize * tensor..][..out.len()]);
            Ok(())
        }
    }

    fn noise(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| (((i + seed) * 2_654_435_761) % 10_007) as f32 / 5_003.5 - 1.0).collect()
    }

    #[test]
    fn with_tiles_or_without() {
        let Some(tiles) = Tiles::lent() else {
            #[allow(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("SKIPPED with_tiles_or_without: this processor has no tiles, or the system lends none");
            }
            return;
        };
        for storage in [Storage::OutputRows, Storage::InputRows] {
            for (tokens, inputs, outputs) in [(1, 1, 1), (5, 33, 300), (600, 40, 70), (700, 1030, 513)] {
                let x = Rows { values: noise(tokens * inputs, 1), columns: inputs };
                let weights = Table(noise((inputs + 2) * (outputs + 2), 2));
                let row = if storage == Storage::OutputRows { inputs } else { outputs };
                let bias = Some(Vector { tensor: 1, row: 3, length: outputs });
                let linear = Linear { weight: row, first_row: 1, storage, inputs, outputs, bias };
                let with = |tiles, pieces| linear_with(tiles, pieces, &x, &linear, &weights).unwrap();
                let (ours, theirs) = (with(Some(tiles), PIECES), with(None, PIECES));
                for (ours, theirs) in ours.values.iter().zip(&theirs.values) {
                    assert!(
                        (ours - theirs).abs() < 4e-7 * inputs as f32,
                        "{storage:?} {tokens} {inputs} {outputs}: {ours} {theirs}"
                    );
                }
                assert_eq!(with(Some(tiles), 1), ours, "in rounds of the least tokens");
            }
        }
    }
}
