//! Sums, sums of absolute values and of squares, smallest and largest value of every channel.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::BLOCK_ROWS;

/// Channels of one piece of work: its three sums stay in the first cache while rows go by.
const PIECE: usize = 256;

/// Channels whose sums are in registers together.
const LANES: usize = 16;

/// Rows that go by a piece's channels before more are looked at: they stay in the first cache, 32 KiB.
const ROWS: usize = 32;

/// Sums are made in f64 over [`BLOCK_ROWS`] rows, and these block sums are added with compensation (two-sum). So a sum
/// is wrong by at most `BLOCK_ROWS * 2^-53` of the sum of the absolute values, however many rows there are: squares of f32 are
/// exact in f64.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pieces: Vec<Piece>,
    /// Rows in the block that is not closed yet.
    open: usize,
}

#[derive(Debug, Clone)]
struct Piece {
    sums: [Channels; 3],
    min: Vec<f32>,
    max: Vec<f32>,
}

/// One kind of sum over the channels of a piece.
#[derive(Debug, Clone)]
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

    /// Adds rows of `columns` channels; `false` if one of them holds a number that is not finite or beyond `largest`: nothing
    /// here is of use then.
    pub(super) fn add(&mut self, rows: &[f32], columns: usize, largest: f32) -> bool {
        let (count, open) = (rows.len() / columns, self.open);
        self.pieces.par_iter_mut().enumerate().for_each(|(number, piece)| {
            let start = number * PIECE;
            let mut at = 0;
            while at < count {
                let end = count.min(at + BLOCK_ROWS - (open + at) % BLOCK_ROWS);
                Arch::new().dispatch(Add { piece, rows: &rows[at * columns..end * columns], columns, start });
                if (open + end).is_multiple_of(BLOCK_ROWS) {
                    piece.close();
                }
                at = end;
            }
        });
        self.open = (open + count) % BLOCK_ROWS;
        // Smallest and largest values pass over NaN, sums do not.
        self.pieces.iter().all(|piece| {
            let within = piece.min.iter().all(|min| *min >= -largest) && piece.max.iter().all(|max| *max <= largest);
            let squares = &piece.sums[2];
            within && !squares.block.iter().chain(&squares.high).any(|sum| sum.is_nan())
        })
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

/// Adds rows of `columns` channels, of which a piece has those from `start` on. In the widest vectors: every channel has sums of
/// its own, so their bits do not depend on the width.
struct Add<'a> {
    piece: &'a mut Piece,
    rows: &'a [f32],
    columns: usize,
    start: usize,
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let length = self.piece.min.len();
        let whole = length / LANES * LANES;
        for rows in self.rows.chunks(ROWS * self.columns) {
            for channel in (0..whole).step_by(LANES) {
                self.piece.add::<LANES>(rows, self.columns, self.start, channel);
            }
            for channel in whole..length {
                self.piece.add::<1>(rows, self.columns, self.start, channel);
            }
        }
    }
}

impl Piece {
    /// The channels `channel..channel + N` of the piece: their sums stay in registers while the rows go by.
    #[inline(always)]
    fn add<const N: usize>(&mut self, rows: &[f32], columns: usize, start: usize, channel: usize) {
        let place = channel..channel + N;
        let of = |values: &[f64]| -> [f64; N] { std::array::from_fn(|lane| values[channel + lane]) };
        let [mut sum, mut sum_abs, mut sum_squares] =
            [of(&self.sums[0].block), of(&self.sums[1].block), of(&self.sums[2].block)];
        let mut min: [f32; N] = std::array::from_fn(|lane| self.min[channel + lane]);
        let mut max: [f32; N] = std::array::from_fn(|lane| self.max[channel + lane]);
        for row in rows.chunks_exact(columns) {
            let row: &[f32; N] = row[start + channel..][..N].try_into().expect("N channels");
            for lane in 0..N {
                let x = row[lane];
                let wide = f64::from(x);
                sum[lane] += wide;
                sum_abs[lane] += wide.abs();
                sum_squares[lane] += wide * wide;
                min[lane] = if x < min[lane] { x } else { min[lane] };
                max[lane] = if x > max[lane] { x } else { max[lane] };
            }
        }
        for (block, sums) in self.sums.iter_mut().zip([sum, sum_abs, sum_squares]) {
            block.block[place.clone()].copy_from_slice(&sums);
        }
        self.min[place.clone()].copy_from_slice(&min);
        self.max[place].copy_from_slice(&max);
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
