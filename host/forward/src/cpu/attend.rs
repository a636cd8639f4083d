//! Causal softmax attention over samples of equal length, head by head, in tiles of queries.
//!
//! Vaswani et al., arXiv 1706.03762: softmax(scale q k^T) v, here causal; optionally only the last `window` tokens, scores
//! capped (Gemma 2, arXiv 2408.00118), and a sink per head that takes a share of the softmax. Keys outside the window
//! of a whole tile are not multiplied at all.

use super::exponential::{exp, tanh};
use super::lanes::{largest, sum, widest};
use super::scratch::scratch;
use super::spare;
use crate::{Attend, ForwardError, Rows};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Queries of a tile.
const QUERIES: usize = 64;

/// Attended values: a row per token, heads side by side.
pub(super) fn attend(q: &Rows, k: &Rows, v: &Rows, attend: &Attend) -> Result<Rows, ForwardError> {
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
    whole.par_row_chunks_mut(length).enumerate().for_each(|(sample, out)| {
        let rows = sample * length;
        out.par_col_chunks_mut(value_dim).enumerate().for_each(|(head, mut out)| {
            let kv_head = head / (heads / kv_heads);
            let [q, k, v] = [(head, head_dim), (kv_head, head_dim), (kv_head, value_dim)];
            let cut = |m: usize, (head, dim): (usize, usize)| matrices[m].submatrix(rows, head * dim, length, dim);
            let (q, k, v) = (cut(0, q), cut(1, k), cut(2, v));
            let sink = attend.sinks.as_ref().map(|sinks| sinks[head]);
            scratch(QUERIES * length, |scores| {
                for first in (0..length).step_by(QUERIES) {
                    let queries = QUERIES.min(length - first);
                    let last = first + queries;
                    let seen = attend.window.map_or(0, |window| (first + 1).saturating_sub(window));
                    let keys = last - seen;
                    let scores = &mut scores[..queries * keys];
                    let tile = MatMut::from_row_major_slice_mut(scores, queries, keys);
                    let (q, k) = (q.subrows(first, queries), k.subrows(seen, keys));
                    matmul(tile, Accum::Replace, q, k.transpose(), attend.scale, Par::Seq);
                    widest(
                        #[inline(always)]
                        || {
                            for (query, row) in scores.chunks_exact_mut(keys).enumerate() {
                                let position = first + query;
                                let from = attend.window.map_or(0, |window| (position + 1).saturating_sub(window));
                                softmax(row, from - seen..position + 1 - seen, attend.cap, sink);
                            }
                        },
                    );
                    let tile = MatRef::from_row_major_slice(scores, queries, keys);
                    let out = out.as_mut().subrows_mut(first, queries);
                    matmul(out, Accum::Replace, tile, v.subrows(seen, keys), 1.0, Par::Seq);
                }
            });
        });
    });
    Ok(out)
}

/// Softmax of what is seen, zero elsewhere.
#[inline(always)]
fn softmax(row: &mut [f32], seen: std::ops::Range<usize>, cap: Option<f32>, sink: Option<f32>) {
    row[..seen.start].fill(0.0);
    row[seen.end..].fill(0.0);
    let row = &mut row[seen];
    if let Some(cap) = cap {
        row.iter_mut().for_each(|x| *x = cap * tanh(*x / cap));
    }
    let top = largest(row, sink.unwrap_or(f32::NEG_INFINITY));
    row.iter_mut().for_each(|x| *x = exp(*x - top));
    let sunk = sink.map_or(0.0, |sink| f64::from(exp(sink - top)));
    let scale = (1.0 / (sunk + sum(row, |x| x))) as f32;
    row.iter_mut().for_each(|x| *x *= scale);
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
        attend(&zeros, &zeros, &v, attend_to).unwrap().values
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
            let out = attend(&q, &k, &v, &spec).unwrap();
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
