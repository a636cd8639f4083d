//! One stream of rows: all rows of a feed, or those routed to one expert.

use std::borrow::Cow;

use super::moments::Moments;
use super::reservoir::Reservoir;
use super::{LARGEST, Options};
use crate::BLOCK_ROWS;
use crate::gram::{Block, Gram, row_start};
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Stream {
    columns: usize,
    /// The smallest token index that may come.
    pub(super) next_token: u64,
    tokens: u64,
    dropped: u64,
    moments: Moments,
    gram: Option<Blocks>,
    reservoir: Reservoir,
}

/// A Gram matrix and the rows that do not fill a block yet. Blocks are counted in rows of this stream, so they are the
/// same however the rows came.
#[derive(Debug)]
struct Blocks {
    gram: Gram,
    open: Vec<f32>,
}

impl Stream {
    pub(super) fn new(columns: usize, options: Options, seed: u64) -> Stream {
        let blocks = || Blocks { gram: Gram::zero(columns), open: Vec::with_capacity(BLOCK_ROWS * columns) };
        Stream {
            columns,
            next_token: 0,
            tokens: 0,
            dropped: 0,
            moments: Moments::new(columns),
            gram: options.gram.then(blocks),
            reservoir: Reservoir::new(seed, columns, options.samples),
        }
    }

    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    pub(super) fn held_bytes(&self) -> u64 {
        let blocks = |blocks: &Blocks| 8 * blocks.gram.packed().len() as u64 + 4 * blocks.open.capacity() as u64;
        self.moments.held_bytes() + self.reservoir.held_bytes() + self.gram.as_ref().map_or(0, blocks)
    }

    /// Adds whole rows; `token` gives the index of each, ascending from `next_token`.
    pub(super) fn add(&mut self, rows: &[f32], token: impl Fn(usize) -> u64, scratch: Option<&mut Block>) {
        let columns = self.columns;
        let count = rows.len() / columns;
        if count == 0 {
            return;
        }
        self.next_token = token(count - 1) + 1;
        let before = self.moments.clone();
        let (mut kept, mut rows) = ((0..count).collect::<Vec<usize>>(), Cow::Borrowed(rows));
        if !self.moments.add(&rows, columns, LARGEST) {
            // Rare, so the sums are made as if it did not happen, and once more where it did.
            self.moments = before;
            kept.retain(|row| usable(&rows[row * columns..][..columns]));
            rows = Cow::Owned(kept.iter().flat_map(|row| &rows[row * columns..][..columns]).copied().collect());
            self.moments.add(&rows, columns, LARGEST);
        }
        self.tokens += kept.len() as u64;
        self.dropped += (count - kept.len()) as u64;
        for (row, kept) in rows.chunks_exact(columns).zip(&kept) {
            self.reservoir.offer(token(*kept), row);
        }
        if let (Some(blocks), Some(scratch)) = (&mut self.gram, scratch) {
            blocks.add(&rows, columns, scratch);
        }
    }

    pub(super) fn finish(mut self, scratch: Option<&mut Block>) -> Record {
        if let (Some(blocks), Some(scratch)) = (&mut self.gram, scratch) {
            blocks.close(scratch);
        }
        let ([sum, sum_abs, sum_squares], min, max) = self.moments.finish();
        let mut gram = self.gram.map(|blocks| blocks.gram);
        if let Some(gram) = &mut gram {
            for (channel, squares) in sum_squares.iter().enumerate() {
                gram.packed_mut()[row_start(channel) + channel] = *squares;
            }
        }
        let (tokens, dropped, samples) = (self.tokens, self.dropped, self.reservoir.finish());
        Record { tokens, dropped, sum, sum_abs, sum_squares, min, max, gram, samples }
    }
}

impl Blocks {
    fn add(&mut self, rows: &[f32], columns: usize, scratch: &mut Block) {
        let block = BLOCK_ROWS * columns;
        let missing = if self.open.is_empty() { 0 } else { (block - self.open.len()).min(rows.len()) };
        let (first, rest) = rows.split_at(missing);
        self.open.extend_from_slice(first);
        if self.open.len() == block {
            self.close(scratch);
        }
        let whole = rest.chunks_exact(block);
        self.open.extend_from_slice(whole.remainder());
        for block in whole {
            self.gram.add(block, scratch);
        }
    }

    fn close(&mut self, scratch: &mut Block) {
        if !self.open.is_empty() {
            self.gram.add(&self.open, scratch);
            self.open.clear();
        }
    }
}

/// Whether every value of a row is finite and not beyond [`LARGEST`].
fn usable(row: &[f32]) -> bool {
    // No early end: such a loop runs in vectors, and rows that are dropped are rare. NaN compares false.
    row.iter().fold(true, |good, x| good & (x.abs() <= LARGEST))
}
