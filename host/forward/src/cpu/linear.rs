//! Linear layers: weights are widened tile by tile, right before the product that wants them.
//!
//! The output is cut into tiles of fixed size, and one thread computes a tile: the order of additions, and so every bit,
//! is the same for any number of threads. Tiles of 256 outputs cost little: each packs its rows anew, 1 / 512 of the
//! product's work. Where the processor has tile registers, they multiply (see [`llmq_tiles`]), and a token's numbers do
//! not depend on the tokens beside it either; elsewhere faer's products in f32 do.

use super::Cpu;
use super::scratch::scratch;
use super::spare;
use super::tiled::{PIECES, Way, gated_in_tiles, in_tiles, is_small};
use crate::{Activation, ForwardError, Linear, Rows, Storage, Weights};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::Tiles;
use rayon::prelude::*;

/// Outputs of a tile.
pub(super) const OUTPUTS: usize = 256;
/// Tokens of a tile.
const TOKENS: usize = 1024;

/// x W^T + b of each.
pub(super) fn linears(
    device: &Cpu,
    x: &Rows,
    linears: &[&Linear],
    weights: &dyn Weights,
) -> Result<Vec<Rows>, ForwardError> {
    linears_with(device.way(), x, linears, weights)
}

impl Cpu {
    /// How it multiplies in tile registers, if there are any.
    fn way(&self) -> Option<Way<'_>> {
        Tiles::lent().map(|tiles| Way { tiles, precision: self.precision, kept: &self.kept, pieces: PIECES })
    }
}

/// activation(gate(x)) * up(x) of small matrices in tiles, a few tokens after the others.
pub(super) fn gated(
    device: &Cpu,
    x: &Rows,
    (gate, up): (&Linear, &Linear),
    activation: Activation,
    weights: &dyn Weights,
) -> Result<Option<Rows>, ForwardError> {
    let same = gate.inputs == x.columns && up.inputs == x.columns && gate.outputs == up.outputs;
    let plain = gate.bias.is_none() && up.bias.is_none() && !x.values.is_empty();
    let small = [gate, up].iter().all(|linear| is_small(linear));
    let fits = same && plain && small && up.outputs > 0;
    let way = device.way().filter(|_| fits);
    way.map(|way| gated_in_tiles(way, x, (gate, up), activation, weights)).transpose()
}

/// With tile registers or without.
fn linears_with(
    way: Option<Way<'_>>,
    x: &Rows,
    linears: &[&Linear],
    weights: &dyn Weights,
) -> Result<Vec<Rows>, ForwardError> {
    if let Some(other) = linears.iter().find(|linear| linear.inputs != x.columns) {
        let what = "the input of a linear layer";
        return Err(ForwardError::Shape { what, found: x.columns, expected: other.inputs });
    }
    let mut all: Vec<Rows> = linears.iter().map(|linear| spare::rows(x.count(), linear.outputs)).collect();
    if let (Some(way), 1..) = (way, x.columns) {
        in_tiles(way, x, linears, weights, &mut all)?;
    } else {
        for (linear, out) in linears.iter().zip(&mut all).filter(|(_, out)| !out.values.is_empty()) {
            in_vectors(x, linear, weights, out)?;
        }
    }
    for (linear, out) in linears.iter().zip(&mut all) {
        if let Some(bias) = linear.bias.filter(|_| !out.values.is_empty()) {
            let bias = bias.load(weights)?;
            out.values.par_chunks_mut(linear.outputs).for_each(|row| {
                row.iter_mut().zip(&bias).for_each(|(y, b)| *y += b);
            });
        }
    }
    Ok(all)
}

fn in_vectors(x: &Rows, linear: &Linear, weights: &dyn Weights, out: &mut Rows) -> Result<(), ForwardError> {
    let x = MatRef::from_row_major_slice(&x.values, x.count(), x.columns);
    let whole = MatMut::from_row_major_slice_mut(&mut out.values, x.nrows(), linear.outputs);
    match linear.storage {
        Storage::OutputRows => by_rows(x, linear, weights, whole),
        Storage::InputRows => {
            by_columns(x, &linear.whole(weights)?, linear, whole);
            Ok(())
        }
    }
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
    use super::super::activate::activate;
    use super::*;
    use crate::{Vector, WeightsError};
    use llmq_tiles::Precision;

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
                let other = Linear { bias: None, ..linear };
                let with = |way: Option<Way<'_>>| {
                    let [ours, other] =
                        linears_with(way, &x, &[&linear, &other], &weights).unwrap().try_into().unwrap();
                    let biased = (0..other.values.len()).map(|i| other.values[i] + weights.0[3 + i % outputs]);
                    assert_eq!(ours.values, biased.collect::<Vec<f32>>());
                    ours
                };
                let theirs = with(None);
                for (precision, most) in [(Precision::Bits24, 4e-7), (Precision::Bits16, 4e-5)] {
                    let kept = Default::default();
                    let way = Way { tiles, precision, kept: &kept, pieces: PIECES };
                    let ours = with(Some(way));
                    for (ours, theirs) in ours.values.iter().zip(&theirs.values) {
                        assert!(
                            (ours - theirs).abs() < most * inputs as f32,
                            "{precision:?} {storage:?} {tokens} {inputs} {outputs}: {ours} {theirs}"
                        );
                    }
                    assert_eq!(with(Some(Way { pieces: 1, ..way })), ours, "in rounds of the least tokens");
                }
            }
        }
    }

    #[test]
    fn gated_at_once_or_one_after_the_other() {
        let (tokens, inputs, outputs) = (300, 40, 70);
        let x = Rows { values: noise(tokens * inputs, 3), columns: inputs };
        let weights = Table(noise((inputs + 2) * (outputs + 2), 4));
        let of =
            |first_row, bias| Linear { weight: inputs, first_row, storage: Storage::OutputRows, inputs, outputs, bias };
        for bias in [None, Some(Vector { tensor: 1, row: 3, length: outputs })] {
            let (gate, up) = (of(1, bias), of(0, None));
            let device = Cpu::default();
            let found = gated(&device, &x, (&gate, &up), Activation::Silu, &weights).unwrap();
            let [gate, mut expected] = linears(&device, &x, &[&gate, &up], &weights).unwrap().try_into().unwrap();
            activate(Activation::Silu, Some(&gate), &mut expected);
            // At once where there are tiles and nothing to add in between.
            let at_once = Tiles::lent().is_some() && bias.is_none();
            assert_eq!(found, at_once.then_some(expected));
        }
    }
}
