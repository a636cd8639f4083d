//! Causal softmax attention over samples of equal length, head by head, in tiles of queries.
//!
//! Vaswani et al., arXiv 1706.03762: softmax(scale q k^T) v, here causal; optionally only the last `window` tokens, scores
//! capped (Gemma 2, arXiv 2408.00118), and a sink per head that takes a share of the softmax. Keys outside the window
//! of a whole tile are not multiplied at all. Products are made in tile registers where the processor has them; keys and
//! values are cut into pieces once for all query heads that share them.

use super::lanes::widest;
use super::scratch::{keys, left, scratch, values};
use super::softmax::Scores;
use super::spare;
use crate::{Attend, ForwardError, Rows};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Precision, Right, Start, Tiles, product};
use rayon::prelude::*;
use std::ops::Range;

/// Queries of a tile.
const QUERIES: usize = 32;
/// Keys of the blocks that tile registers hold.
const BLOCK: usize = Left::BLOCK;

/// Attended values: a row per token, heads side by side.
pub(super) fn attend(
    precision: Precision,
    q: &Rows,
    k: &Rows,
    v: &Rows,
    attend: &Attend,
) -> Result<Rows, ForwardError> {
    attend_with(Tiles::lent().map(|tiles| (tiles, precision)), q, k, v, attend)
}

fn attend_with(
    tiles: Option<(Tiles, Precision)>,
    q: &Rows,
    k: &Rows,
    v: &Rows,
    attend: &Attend,
) -> Result<Rows, ForwardError> {
    let Attend { length, heads, kv_heads, head_dim, value_dim, .. } = *attend;
    for (what, rows, expected) in [
        ("a row of queries", q, heads * head_dim),
        ("a row of keys", k, kv_heads * head_dim),
        ("a row of values", v, kv_heads * value_dim),
    ] {
        if rows.columns != expected {
            return Err(ForwardError::Shape { what, found: rows.columns, expected });
        }
    }
    let mut out = spare::rows(q.count(), heads * value_dim);
    let matrices = [q, k, v].map(|m| MatRef::from_row_major_slice(&m.values, m.count(), m.columns));
    let whole = MatMut::from_row_major_slice_mut(&mut out.values, q.count(), heads * value_dim);
    let group = heads / kv_heads;
    whole.par_row_chunks_mut(length).enumerate().for_each(|(sample, out)| {
        out.par_col_chunks_mut(group * value_dim).enumerate().for_each(|(kv_head, out)| {
            let cut =
                |m: usize, head: usize, dim: usize| matrices[m].submatrix(sample * length, head * dim, length, dim);
            let shared = Shared { keys: cut(1, kv_head, head_dim), values: cut(2, kv_head, value_dim), attend };
            let (mut rest, mut of_heads) = (out, Vec::with_capacity(group));
            for head in kv_head * group..(kv_head + 1) * group {
                let (out, more) = rest.split_at_col_mut(value_dim);
                let sink = attend.sinks.as_ref().map(|sinks| sinks[head]);
                of_heads.push(Head { queries: cut(0, head, head_dim), sink, out });
                rest = more;
            }
            shared.attend(tiles, &mut of_heads);
        });
    });
    Ok(out)
}

/// Keys and values of one head of them in one sample.
struct Shared<'a> {
    keys: MatRef<'a, f32>,
    values: MatRef<'a, f32>,
    attend: &'a Attend,
}

/// A head of queries that attends to them.
struct Head<'a> {
    queries: MatRef<'a, f32>,
    sink: Option<f32>,
    out: MatMut<'a, f32>,
}

impl Shared<'_> {
    fn attend(&self, tiles: Option<(Tiles, Precision)>, heads: &mut [Head<'_>]) {
        let Some((tiles, precision)) = tiles else {
            heads.iter_mut().for_each(|head| self.each_tile(head, self, 1));
            return;
        };
        keys(|keys| {
            values(|values| {
                keys.fill(self.keys.transpose(), precision);
                values.fill(self.values, precision);
                let cut = Cut { tiles, keys, values };
                heads.iter_mut().for_each(|head| self.each_tile(head, &cut, BLOCK));
            });
        });
    }

    /// Goes through the tiles of queries of a head; keys are taken from multiples of `step` on.
    fn each_tile(&self, head: &mut Head<'_>, products: &dyn Products, step: usize) {
        let Head { queries, sink, out } = head;
        let sink = *sink;
        let length = queries.nrows();
        let Attend { scale, cap, window, .. } = *self.attend;
        let of_scores = Scores { scale, cap, sink };
        let first_seen = |position: usize| window.map_or(0, |window| (position + 1).saturating_sub(window));
        scratch(QUERIES * length, |scores| {
            for first in (0..length).step_by(QUERIES) {
                let count = QUERIES.min(length - first);
                let seen = first_seen(first) / step * step..first + count;
                let scores = &mut scores[..count * seen.len()];
                let tile = MatMut::from_row_major_slice_mut(scores, count, seen.len());
                products.scores(queries.subrows(first, count), seen.clone(), tile);
                let mut shares = [0.0; QUERIES];
                widest(
                    #[inline(always)]
                    || {
                        for (query, row) in scores.chunks_exact_mut(seen.len()).enumerate() {
                            let position = first + query;
                            let own = first_seen(position) - seen.start..position + 1 - seen.start;
                            shares[query] = 1.0 / of_scores.powers(row, own);
                        }
                    },
                );
                let tile = MatRef::from_row_major_slice(scores, count, seen.len());
                let mut out = out.as_mut().subrows_mut(first, count);
                products.sums(tile, seen, out.as_mut());
                for (row, share) in out.row_iter_mut().zip(shares) {
                    row.iter_mut().for_each(|x| *x *= share);
                }
            }
        });
    }
}

/// The two products of attention.
trait Products {
    /// q k^T with some of the keys.
    fn scores(&self, queries: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>);

    /// The sums of some of the values, weighed.
    fn sums(&self, weights: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>);
}

impl Products for Shared<'_> {
    fn scores(&self, queries: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>) {
        let keys = self.keys.subrows(keys.start, keys.len());
        matmul(out, Accum::Replace, queries, keys.transpose(), 1.0, Par::Seq);
    }

    fn sums(&self, weights: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>) {
        let values = self.values.subrows(keys.start, keys.len());
        matmul(out, Accum::Replace, weights, values, 1.0, Par::Seq);
    }
}

/// The same in pieces for tile registers.
struct Cut<'a> {
    tiles: Tiles,
    /// Transposed.
    keys: &'a Right,
    values: &'a Right,
}

impl Products for Cut<'_> {
    fn scores(&self, queries: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>) {
        left(|left| {
            left.fill(queries, self.keys.precision());
            let start = Start { column: keys.start / BLOCK, ..Start::default() };
            product(self.tiles, left, self.keys, start, out);
        });
    }

    fn sums(&self, weights: MatRef<'_, f32>, keys: Range<usize>, out: MatMut<'_, f32>) {
        left(|left| {
            left.fill(weights, self.values.precision());
            let start = Start { step: keys.start / BLOCK, ..Start::default() };
            product(self.tiles, left, self.values, start, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_HEAD: Attend = Attend {
        length: 3,
        heads: 1,
        kv_heads: 1,
        head_dim: 1,
        value_dim: 1,
        scale: 1.0,
        cap: None,
        window: None,
        sinks: None,
    };

    fn run(attend_to: &Attend) -> Vec<f32> {
        let zeros = Rows::zeros(3, 1);
        let v = Rows { values: vec![1.0, 2.0, 6.0], columns: 1 };
        attend(Precision::Bits24, &zeros, &zeros, &v, attend_to).unwrap().values
    }

    #[test]
    fn equal_scores_give_the_mean_of_what_is_seen() {
        assert_eq!(run(&ONE_HEAD), [1.0, 1.5, 3.0]);
        assert_eq!(run(&Attend { window: Some(2), ..ONE_HEAD }), [1.0, 1.5, 4.0]);
        assert_eq!(run(&Attend { sinks: Some(vec![0.0]), ..ONE_HEAD }), [0.5, 1.0, 2.25]);
    }

    #[test]
    fn long_samples_agree_with_the_definition() {
        let (length, dim) = (150, 4);
        let number = |seed: usize| ((seed * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let rows = |offset: usize, columns: usize| Rows {
            values: (0..2 * length * columns).map(|i| number(i + offset)).collect(),
            columns,
        };
        let (q, k, v) = (rows(1, 2 * dim), rows(7, dim), rows(13, dim));
        for window in [None, Some(1), Some(70)] {
            let spec = Attend {
                length,
                heads: 2,
                head_dim: dim,
                value_dim: dim,
                scale: 0.7,
                cap: Some(2.0),
                window,
                ..ONE_HEAD
            };
            let ways = [None, Tiles::lent().map(|tiles| (tiles, Precision::Bits24))];
            let outs = ways.map(|way| attend_with(way, &q, &k, &v, &spec).unwrap());
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6;
            assert!(outs[0].values.iter().zip(&outs[1].values).all(close), "in tiles as in vectors");
            let [_, out] = outs;
            for (row, head) in [(0, 0), (64, 1), (149, 0), (150, 1), (299, 1)] {
                let (sample, position) = (row / length * length, row % length);
                let first = window.map_or(0, |w: usize| (position + 1).saturating_sub(w));
                let query = &q.row(row)[head * dim..][..dim];
                let powers: Vec<f64> = (first..=position)
                    .map(|key| {
                        let dot: f32 = query.iter().zip(k.row(sample + key)).map(|(a, b)| a * b).sum();
                        f64::from(2.0 * (0.7 * dot / 2.0).tanh()).exp()
                    })
                    .collect();
                let sum: f64 = powers.iter().sum();
                for c in 0..dim {
                    let expected: f64 = (first..=position)
                        .zip(&powers)
                        .map(|(key, p)| p / sum * f64::from(v.row(sample + key)[c]))
                        .sum();
                    let found = f64::from(out.row(row)[head * dim + c]);
                    assert!((found - expected).abs() < 1e-5, "row {row}, head {head}: {found} {expected}");
                }
            }
        }
    }
}
