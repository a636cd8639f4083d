//! Sums, sums of absolute values and of squares, smallest and largest value of every channel.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::BLOCK_ROWS;

/// Channels of one piece of work: its three sums stay in the first cache while rows go by.
const PIECE: usize = 256;

/// Sums are made in f64 over [`BLOCK_ROWS`] rows, and these block sums are added with compensation (two-sum). So a sum
/// is wrong by at most `BLOCK_ROWS * 2^-53` of the sum of the absolute values, however many rows there are: squares of f32 are
/// exact in f64.
#[derive(Debug)]
pub(super) struct Moments {
    pieces: Vec<Piece>,
    /// Rows in the block that is not closed yet.
    open: usize,
}

#[derive(Debug)]
struct Piece {
    sums: [Channels; 3],
    min: Vec<f32>,
    max: Vec<f32>,
}

/// One kind of sum over the channels of a piece.
#[derive(Debug)]
struct Channels {
    block: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
}

/// What [`Moments::finish`] gives: sums of x, |x| and x^2, then minimum and maximum.
pub(super) type Finished = ([Vec<f64>; 3], Vec<f32>, Vec<f32>);

impl Moments {
    /// Bytes for `columns` channels: nine f64 and two f32 each.
    pub(super) const BYTES_PER_COLUMN: u64 = 9 * 8 + 2 * 4;

    pub(super) fn new(columns: usize) -> Moments {
        let piece = |start: usize| {
            let length = PIECE.min(columns - start);
            let channels = || Channels { block: vec![0.0; length], high: vec![0.0; length], low: vec![0.0; length] };
            Piece {
                sums: [channels(), channels(), channels()],
                min: vec![f32::INFINITY; length],
                max: vec![f32::NEG_INFINITY; length],
            }
        };
        Moments { pieces: (0..columns).step_by(PIECE).map(piece).collect(), open: 0 }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        let sums = |c: &Channels| 8 * (c.block.capacity() + c.high.capacity() + c.low.capacity());
        let piece = |p: &Piece| p.sums.iter().map(sums).sum::<usize>() + 4 * (p.min.capacity() + p.max.capacity());
        self.pieces.iter().map(piece).sum::<usize>() as u64
    }

    /// Adds rows of `columns` finite channels.
    pub(super) fn add(&mut self, rows: &[f32], columns: usize) {
        let (count, open) = (rows.len() / columns, self.open);
        self.pieces.par_iter_mut().enumerate().for_each(|(number, piece)| {
            Arch::new().dispatch(Addition { piece, rows, columns, first: number * PIECE, open });
        });
        self.open = (open + count) % BLOCK_ROWS;
    }

    pub(super) fn finish(mut self) -> Finished {
        let mut sums = [Vec::new(), Vec::new(), Vec::new()];
        let (mut min, mut max) = (Vec::new(), Vec::new());
        for piece in &mut self.pieces {
            piece.close();
            for (sums, piece) in sums.iter_mut().zip(&piece.sums) {
                sums.extend(piece.high.iter().zip(&piece.low).map(|(high, low)| high + low));
            }
            min.extend_from_slice(&piece.min);
            max.extend_from_slice(&piece.max);
        }
        (sums, min, max)
    }
}

/// Rows that a piece takes, in the widest vectors that the processor has: one after the other, thus the same bits.
struct Addition<'a> {
    piece: &'a mut Piece,
    rows: &'a [f32],
    columns: usize,
    first: usize,
    open: usize,
}

impl WithSimd for Addition<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.first..self.first + self.piece.min.len();
        for (number, row) in self.rows.chunks_exact(self.columns).enumerate() {
            self.piece.add(&row[channels.clone()]);
            if (self.open + number + 1).is_multiple_of(BLOCK_ROWS) {
                self.piece.close();
            }
        }
    }
}

impl Piece {
    #[inline(always)]
    fn add(&mut self, row: &[f32]) {
        let [sum, sum_abs, sum_squares] = &mut self.sums;
        for (sum, x) in sum.block.iter_mut().zip(row) {
            *sum += f64::from(*x);
        }
        for (sum, x) in sum_abs.block.iter_mut().zip(row) {
            *sum += f64::from(x.abs());
        }
        for (sum, x) in sum_squares.block.iter_mut().zip(row) {
            *sum += f64::from(*x) * f64::from(*x);
        }
        for (min, x) in self.min.iter_mut().zip(row) {
            *min = if *x < *min { *x } else { *min };
        }
        for (max, x) in self.max.iter_mut().zip(row) {
            *max = if *x > *max { *x } else { *max };
        }
    }

    /// Adds the block sums to the totals and empties them.
    fn close(&mut self) {
        for Channels { block, high, low } in &mut self.sums {
            for ((block, high), low) in block.iter_mut().zip(high).zip(low) {
                let (sum, error) = two_sum(*high, *block);
                (*high, *low, *block) = (sum, *low + error, 0.0);
            }
        }
    }
}

/// The rounded sum and what rounding lost, exactly (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}
