//! What gathers statistics of one feed (the input that one or several linears share) while the model runs.
//!
//! Rows come in the order of the text, in batches of any size: the result does not depend on how they are cut, and not on
//! threads. Rows with a value that is not finite, or beyond [`LARGEST`], are dropped whole and counted.

mod moments;
mod reservoir;
mod stream;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::gram::Block;
use crate::record::{Entry, Source};
use crate::{BLOCK_ROWS, MAX_COLUMNS, MAX_EXPERTS};
use moments::Moments;
use reservoir::Reservoir;
use stream::Stream;

/// Largest magnitude that is counted, 2^40: squares of larger values, summed over a long text, leave f32. What models
/// compute stays below 1e6.
pub const LARGEST: f32 = 1_099_511_627_776.0;

/// What is gathered beside the sums, which always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The Gram matrix.
    pub gram: bool,
    /// Real rows to keep, at most.
    pub samples: usize,
}

/// Why rows were not taken. Nothing of the batch was counted.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollectError {
    /// A collector for no channels, too many channels, or too many experts.
    #[error(
        "`{feed}` cannot be gathered: {columns} channels and {experts} experts (1 to {MAX_COLUMNS} channels, at most {MAX_EXPERTS} experts)"
    )]
    Size {
        /// The feed.
        feed: String,
        /// Channels asked for.
        columns: usize,
        /// Experts asked for.
        experts: usize,
    },
    /// Values that are not whole rows, or not as many rows as tokens.
    #[error("`{feed}` was handed {values} values for {tokens} tokens of {columns} channels")]
    Shape {
        /// The feed.
        feed: String,
        /// Values handed over.
        values: usize,
        /// Tokens they are for.
        tokens: usize,
        /// Channels of a row.
        columns: usize,
    },
    /// A token that came already, or tokens out of order.
    #[error(
        "`{feed}` was handed token {token} where {expected} or a later one must follow; tokens come in the order of the text"
    )]
    Order {
        /// The feed.
        feed: String,
        /// Index of the token.
        token: u64,
        /// Smallest index that could come.
        expected: u64,
    },
    /// An expert that is not there, or an expert for a feed without experts (then `experts` is 0).
    #[error("`{feed}` has {experts} experts; it was handed rows for expert {expert}")]
    Expert {
        /// The feed.
        feed: String,
        /// Number of the expert.
        expert: usize,
        /// Experts of the feed.
        experts: usize,
    },
    /// Rows without routing for a feed of experts.
    #[error("`{feed}` is gathered by expert; its rows need their experts")]
    Unrouted {
        /// The feed.
        feed: String,
    },
}

/// Gathers the statistics of one feed.
#[derive(Debug)]
pub struct Collector {
    feed: String,
    columns: usize,
    routed: bool,
    streams: Vec<Stream>,
    scratch: Option<Block>,
}

/// Bytes that a [`Collector`] holds, from its making on. Beside them a batch with dropped rows, and a batch that is
/// routed here, are copied for the length of the call. Saturates.
pub fn memory_bytes(columns: usize, experts: Option<usize>, options: Options) -> u64 {
    let (columns_64, samples) = (columns as u64, options.samples as u64);
    let row = columns_64.saturating_mul(4);
    let mut stream = columns_64.saturating_mul(Moments::BYTES_PER_COLUMN);
    stream = stream.saturating_add(samples.saturating_mul(row.saturating_add(Reservoir::BYTES_PER_ROW)));
    let mut scratch = 0;
    if options.gram {
        let triangle = columns_64.saturating_mul(columns_64.saturating_add(1)).saturating_mul(4);
        stream = stream.saturating_add(triangle).saturating_add(row.saturating_mul(BLOCK_ROWS as u64));
        scratch = Block::bytes(columns.min(MAX_COLUMNS));
    }
    stream.saturating_mul(experts.unwrap_or(1) as u64).saturating_add(scratch)
}

impl Collector {
    /// A collector for a feed of `columns` channels; for a mixture of experts with the number of its experts, each of
    /// which then has statistics of its own. `text` names the text (its digest) and is mixed into the choice of samples, so that two texts
    /// do not give rows of the same places.
    ///
    /// # Errors
    /// Sizes beyond [`MAX_COLUMNS`] and [`MAX_EXPERTS`]. Ask [`memory_bytes`] before.
    pub fn new(
        text: &str,
        feed: &str,
        columns: usize,
        experts: Option<usize>,
        options: Options,
    ) -> Result<Collector, CollectError> {
        if columns == 0 || columns > MAX_COLUMNS || experts.is_some_and(|count| count == 0 || count > MAX_EXPERTS) {
            return Err(CollectError::Size { feed: feed.to_owned(), columns, experts: experts.unwrap_or(0) });
        }
        let stream = |expert| Stream::new(columns, options, reservoir::seed(text, feed, expert));
        let streams = match experts {
            None => vec![stream(None)],
            Some(count) => (0..count).map(|expert| stream(Some(expert))).collect(),
        };
        let scratch = options.gram.then(|| Block::new(columns));
        Ok(Collector { feed: feed.to_owned(), columns, routed: experts.is_some(), streams, scratch })
    }

    /// Channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows counted so far, of an expert or of a feed without experts; zero for an expert that is not there.
    pub fn tokens(&self, expert: Option<usize>) -> u64 {
        self.streams.get(expert.unwrap_or(0)).map_or(0, Stream::tokens)
    }

    /// Bytes of the buffers as they are allocated now; [`memory_bytes`] says so beforehand.
    pub fn held_bytes(&self) -> u64 {
        let streams = self.streams.iter().map(Stream::held_bytes).sum::<u64>();
        streams + self.scratch.as_ref().map_or(0, Block::held_bytes)
    }

    /// Adds rows (row-major, `columns` each) of consecutive tokens from `first_token` on.
    ///
    /// # Errors
    /// Rows of another shape, tokens that came already, a feed of experts.
    pub fn update(&mut self, rows: &[f32], first_token: u64) -> Result<(), CollectError> {
        if self.routed {
            return Err(CollectError::Unrouted { feed: self.feed.clone() });
        }
        let count = rows.len() / self.columns;
        self.check_shape(rows, count)?;
        let expected = self.streams[0].next_token;
        if first_token < expected || first_token.checked_add(count as u64).is_none() {
            return Err(CollectError::Order { feed: self.feed.clone(), token: first_token, expected });
        }
        self.streams[0].add(rows, |row| first_token + row as u64, self.scratch.as_mut());
        Ok(())
    }

    /// Adds the rows that were routed to one expert; `tokens[i]` is the index of the token of row `i`, ascending.
    ///
    /// # Errors
    /// Rows of another shape, tokens that came already or out of order, an expert that is not there.
    pub fn update_expert(&mut self, expert: usize, rows: &[f32], tokens: &[u64]) -> Result<(), CollectError> {
        let experts = if self.routed { self.streams.len() } else { 0 };
        if expert >= experts {
            return Err(CollectError::Expert { feed: self.feed.clone(), expert, experts });
        }
        self.check_shape(rows, tokens.len())?;
        let mut expected = self.streams[expert].next_token;
        for &token in tokens {
            if token < expected || token == u64::MAX {
                return Err(CollectError::Order { feed: self.feed.clone(), token, expected });
            }
            expected = token + 1;
        }
        self.streams[expert].add(rows, |row| tokens[row], self.scratch.as_mut());
        Ok(())
    }

    /// Adds rows of consecutive tokens to the experts that each was routed to: `routing` has the same number of expert
    /// numbers for every row, behind each other. An expert named twice in a row counts once.
    ///
    /// # Errors
    /// As [`Collector::update_expert`].
    pub fn update_routed(&mut self, rows: &[f32], first_token: u64, routing: &[u32]) -> Result<(), CollectError> {
        let count = rows.len() / self.columns;
        self.check_shape(rows, count)?;
        let feed = || self.feed.clone();
        let experts = if self.routed { self.streams.len() } else { 0 };
        if let Some(&expert) = routing.iter().find(|expert| **expert as usize >= experts) {
            return Err(CollectError::Expert { feed: feed(), expert: expert as usize, experts });
        }
        if count == 0 || routing.is_empty() || !routing.len().is_multiple_of(count) {
            let (values, columns) = (rows.len(), self.columns);
            let nothing = count == 0 && routing.is_empty();
            return if nothing {
                Ok(())
            } else {
                Err(CollectError::Shape { feed: feed(), values, tokens: routing.len(), columns })
            };
        }
        let mut chosen: Vec<Vec<usize>> = vec![Vec::new(); experts];
        for (row, experts) in routing.chunks_exact(routing.len() / count).enumerate() {
            for &expert in experts {
                let rows = &mut chosen[expert as usize];
                if rows.last() != Some(&row) {
                    rows.push(row);
                }
            }
        }
        // All checks before the first change: a batch counts as a whole or not at all.
        let expected = chosen.iter().zip(&self.streams).filter(|(rows, _)| !rows.is_empty());
        let expected = expected.map(|(_, stream)| stream.next_token).max().unwrap_or(0);
        let end = first_token.checked_add(count as u64);
        if end.is_none() || first_token < expected {
            return Err(CollectError::Order { feed: feed(), token: first_token, expected });
        }
        for (expert, chosen) in chosen.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let mut gathered = Vec::with_capacity(chosen.len() * self.columns);
            for row in chosen {
                gathered.extend_from_slice(&rows[row * self.columns..][..self.columns]);
            }
            self.streams[expert].add(&gathered, |row| first_token + chosen[row] as u64, self.scratch.as_mut());
        }
        Ok(())
    }

    /// The statistics. `sources` names every tensor whose linear reads this feed.
    pub fn finish(mut self, sources: Vec<Source>) -> Entry {
        let mut scratch = self.scratch.take();
        let records = self.streams.into_iter().map(|stream| stream.finish(scratch.as_mut())).collect();
        Entry { feed: self.feed, sources, columns: self.columns, routed: self.routed, records }
    }

    fn check_shape(&self, rows: &[f32], tokens: usize) -> Result<(), CollectError> {
        if tokens.checked_mul(self.columns) == Some(rows.len()) {
            return Ok(());
        }
        Err(CollectError::Shape { feed: self.feed.clone(), values: rows.len(), tokens, columns: self.columns })
    }
}
