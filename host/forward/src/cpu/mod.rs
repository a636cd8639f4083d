//! The processor as a computing device: single precision, matrix products from faer, threads from the caller's pool.

mod activate;
mod attend;
mod exponential;
mod kept;
mod lanes;
mod linear;
mod norm;
mod rotate;
mod scratch;
mod softmax;
mod spare;
mod tiled;

use crate::{Activation, Attend, Device, ForwardError, Linear, NormValues, Rotation, Rows, Spread, Weights};
use llmq_tiles::Precision;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Rows that one thread takes at a time in what is done row by row.
const PIECE: usize = 64;

/// The processor. Small matrices are kept as it wants them: make another one where weights have changed.
#[derive(Debug, Default)]
pub struct Cpu {
    precision: Precision,
    kept: kept::Kept,
}

impl Cpu {
    /// With a precision of matrix products on processors with tile registers; others always have single precision.
    pub fn new(precision: Precision) -> Cpu {
        Cpu { precision, ..Cpu::default() }
    }
}

impl Device for Cpu {
    type Matrix = Rows;

    fn upload(&self, rows: Rows) -> Result<Rows, ForwardError> {
        Ok(rows)
    }

    fn download(&self, matrix: Rows) -> Result<Rows, ForwardError> {
        Ok(matrix)
    }

    fn rows<'a>(&self, matrix: &'a Rows) -> Result<Cow<'a, Rows>, ForwardError> {
        Ok(Cow::Borrowed(matrix))
    }

    fn discard(&self, matrix: Rows) {
        spare::discard(matrix);
    }

    fn linears(&self, x: &Rows, linears: &[&Linear], weights: &dyn Weights) -> Result<Vec<Rows>, ForwardError> {
        linear::linears(self, x, linears, weights)
    }

    fn gated(
        &self,
        x: &Rows,
        (gate, up): (&Linear, &Linear),
        activation: Activation,
        weights: &dyn Weights,
    ) -> Result<Option<Rows>, ForwardError> {
        linear::gated(self, x, (gate, up), activation, weights)
    }

    fn norm(&self, x: &Rows, norm: &NormValues, group: usize) -> Result<Rows, ForwardError> {
        norm::norm(x, norm, group)
    }

    fn rotate(
        &self,
        x: &mut Rows,
        rotation: &Rotation,
        head_dim: usize,
        from: usize,
        length: usize,
    ) -> Result<(), ForwardError> {
        rotate::rotate(x, rotation, head_dim, from, length);
        Ok(())
    }

    fn attend(&self, q: &Rows, k: &Rows, v: &Rows, attend: &Attend) -> Result<Rows, ForwardError> {
        attend::attend(self.precision, q, k, v, attend)
    }

    fn activate(&self, activation: Activation, gate: Option<&Rows>, up: &mut Rows) -> Result<(), ForwardError> {
        activate::activate(activation, gate, up);
        Ok(())
    }

    fn add(&self, into: &mut Rows, what: &Rows, factor: f32) -> Result<(), ForwardError> {
        let pieces = into.values.par_chunks_mut(PIECE * into.columns);
        pieces.zip(what.values.par_chunks(PIECE * what.columns)).for_each(|(into, what)| {
            into.iter_mut().zip(what).for_each(|(into, what)| *into += factor * what);
        });
        Ok(())
    }

    fn gate_rows(&self, x: &mut Rows, logits: &Rows) -> Result<(), ForwardError> {
        x.values.par_chunks_mut(x.columns).zip(&logits.values).for_each(|(row, logit)| {
            let gate = exponential::sigmoid(*logit);
            row.iter_mut().for_each(|x| *x *= gate);
        });
        Ok(())
    }

    fn clamp(&self, x: &mut Rows, limit: f32) -> Result<(), ForwardError> {
        x.values.iter_mut().for_each(|x| *x = x.clamp(-limit, limit));
        Ok(())
    }

    fn columns(&self, x: &Rows, runs: &[Range<usize>]) -> Result<Rows, ForwardError> {
        let columns: usize = runs.iter().map(Range::len).sum();
        let mut out = spare::rows(x.count(), columns);
        out.values.par_chunks_mut(columns).zip(x.values.par_chunks(x.columns)).for_each(|(out, row)| {
            let mut rest = out;
            for run in runs {
                let (into, further) = rest.split_at_mut(run.len());
                into.copy_from_slice(&row[run.clone()]);
                rest = further;
            }
        });
        Ok(out)
    }

    fn alternate(&self, x: &Rows, first: usize) -> Result<Rows, ForwardError> {
        let values = x.values.iter().skip(first).step_by(2).copied().collect();
        Ok(Rows { values, columns: x.columns / 2 })
    }

    fn join_heads(&self, a: &Rows, a_dim: usize, b: &Rows, b_dim: usize) -> Result<Rows, ForwardError> {
        let heads = a.columns / a_dim;
        let shared = b.columns == b_dim;
        let mut out = spare::rows(a.count(), heads * (a_dim + b_dim));
        for (row, out) in out.values.chunks_exact_mut(heads * (a_dim + b_dim)).enumerate() {
            let (a, b) = (a.row(row), b.row(row));
            for (head, out) in out.chunks_exact_mut(a_dim + b_dim).enumerate() {
                out[..a_dim].copy_from_slice(&a[head * a_dim..][..a_dim]);
                out[a_dim..].copy_from_slice(&b[if shared { 0 } else { head * b_dim }..][..b_dim]);
            }
        }
        Ok(out)
    }

    fn gather(&self, x: &Rows, rows: &[u32]) -> Result<Rows, ForwardError> {
        Ok(x.gather(rows))
    }

    fn spread(&self, into: &mut Rows, what: &Rows, spread: Spread<'_>) -> Result<(), ForwardError> {
        for (from, (row, weight)) in spread.rows.iter().zip(spread.weights).enumerate() {
            let into = &mut into.values[*row as usize * what.columns..][..what.columns];
            into.iter_mut().zip(what.row(from)).for_each(|(into, x)| *into += weight * x);
        }
        Ok(())
    }
}
