//! Softmax of one query's scores, not yet divided by its sum.

use super::exponential::{exp, tanh};
use super::lanes::{LANES, largest};
use std::ops::Range;

/// Numbers whose sum is made in single precision.
const CHUNK: usize = 16 * LANES;

/// What becomes of scores before the exponential.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    /// What they are multiplied by.
    pub(super) scale: f32,
    /// c of c tanh(score / c).
    pub(super) cap: Option<f32>,
    /// A score beside the keys' that takes a share and gives nothing.
    pub(super) sink: Option<f32>,
}

impl Scores {
    /// Makes a row of products of one query with all keys e^(score - largest score) of the keys that it sees, zero for others;
    /// gives what they must be divided by.
    #[inline(always)]
    pub(super) fn powers(&self, row: &mut [f32], seen: Range<usize>) -> f32 {
        // Whole lanes: what is added to the range is below every score.
        let (start, end) = (seen.start / LANES * LANES, row.len().min(seen.end.next_multiple_of(LANES)));
        row[..start].fill(0.0);
        row[end..].fill(0.0);
        let mut scale = self.scale;
        if self.cap.is_some() || scale <= 0.0 {
            let cap = self.cap;
            row[seen.clone()].iter_mut().for_each(|x| {
                let score = *x * scale;
                *x = cap.map_or(score, |cap| cap * tanh(score / cap));
            });
            scale = 1.0;
        }
        row[start..seen.start].fill(f32::NEG_INFINITY);
        row[seen.end..end].fill(f32::NEG_INFINITY);
        let row = &mut row[start..end];
        let top = (largest(row, f32::NEG_INFINITY) * scale).max(self.sink.unwrap_or(f32::NEG_INFINITY));
        let mut sum = self.sink.map_or(0.0, |sink| f64::from(exp(sink - top)));
        for chunk in row.chunks_mut(CHUNK) {
            let mut lanes = [0.0f32; LANES];
            let (blocks, rest) = chunk.as_chunks_mut::<LANES>();
            for block in blocks {
                for (lane, x) in lanes.iter_mut().zip(block) {
                    *x = exp(*x * scale - top);
                    *lane += *x;
                }
            }
            for (lane, x) in lanes.iter_mut().zip(rest) {
                *x = exp(*x * scale - top);
                *lane += *x;
            }
            sum += f64::from(lanes.iter().sum::<f32>());
        }
        sum as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_their_sum() {
        let values = |count: usize| (0..count).map(|i| ((i * 37) % 23) as f32 / 4.0 - 2.0).collect::<Vec<f32>>();
        for (count, seen) in [(1, 0..1), (40, 0..40), (100, 17..83), (700, 3..699), (33, 32..33)] {
            for (scale, cap, sink) in [(0.5, None, None), (1.0, Some(2.0), None), (-0.5, None, Some(0.25))] {
                let mut row = values(count);
                let score = |i: usize| {
                    let score = f64::from(values(count)[i]) * f64::from(scale);
                    cap.map_or(score, |cap: f32| f64::from(cap) * (score / f64::from(cap)).tanh())
                };
                let divisor = Scores { scale, cap, sink }.powers(&mut row, seen.clone());
                let sum: f64 =
                    seen.clone().map(|i| score(i).exp()).sum::<f64>() + sink.map_or(0.0, |s: f32| f64::from(s).exp());
                for (i, power) in row.iter().enumerate() {
                    let expected = if seen.contains(&i) { score(i).exp() / sum } else { 0.0 };
                    let found = f64::from(*power) / f64::from(divisor);
                    assert!((found - expected).abs() < 1e-6, "{count} {seen:?} {i}: {found} {expected}");
                    assert!(seen.contains(&i) || *power == 0.0, "what is not seen is exactly zero");
                }
            }
        }
    }

    #[test]
    fn infinity_is_not_hidden() {
        let mut row = [1.0, f32::INFINITY, 2.0];
        let scores = Scores { scale: 1.0, cap: None, sink: None };
        scores.powers(&mut row, 0..3);
        assert!(row[1].is_nan() || row.iter().sum::<f32>() == 0.0, "{row:?}");
    }
}
