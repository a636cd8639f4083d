//! Finished statistics, and which tensors they belong to.

use serde::{Deserialize, Serialize};

use crate::gram::Gram;

/// Statistics of one stream of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Rows that went in. Zero means that nothing was seen, not that the values are zero.
    pub tokens: u64,
    /// Rows that were dropped, because a value was not finite or beyond [`crate::LARGEST`].
    pub dropped: u64,
    /// `sum x` per channel.
    pub sum: Vec<f64>,
    /// `sum |x|` per channel.
    pub sum_abs: Vec<f64>,
    /// `sum x^2` per channel.
    pub sum_squares: Vec<f64>,
    /// Smallest value per channel; +infinity where nothing was seen.
    pub min: Vec<f32>,
    /// Largest value per channel; -infinity where nothing was seen.
    pub max: Vec<f32>,
    /// `sum x x^T`, if gathered.
    pub gram: Option<Gram>,
    /// Real rows.
    pub samples: Samples,
}

/// Real rows, the ones with the smallest hashes of their place in the text, in the order of these hashes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// The hash of each row, ascending.
    pub priorities: Vec<u64>,
    /// Index of each row's token in its text.
    pub tokens: Vec<u64>,
    /// The rows, one behind the other.
    pub values: Vec<f32>,
}

/// A tensor that reads a feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Hugging Face name of the weight.
    pub tensor: String,
    /// The expert whose weight it is; none for feeds without experts, and for a tensor that holds all experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<u32>,
}

impl Source {
    /// A tensor of a feed without experts.
    pub fn dense(tensor: impl Into<String>) -> Source {
        Source { tensor: tensor.into(), expert: None }
    }

    /// The tensor of one expert.
    pub fn of_expert(tensor: impl Into<String>, expert: u32) -> Source {
        Source { tensor: tensor.into(), expert: Some(expert) }
    }
}

/// Statistics of one feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name of the feed, unique in its unit.
    pub feed: String,
    /// Every tensor that reads it.
    pub sources: Vec<Source>,
    /// Channels.
    pub columns: usize,
    /// Whether `records` are experts.
    pub routed: bool,
    /// One record, or one per expert.
    pub records: Vec<Record>,
}

impl Entry {
    /// What the tensor `tensor` reads, if it reads this feed: one record, or those of all experts for a tensor that holds
    /// all of them.
    pub fn records_of(&self, tensor: &str) -> Option<&[Record]> {
        let source = self.sources.iter().find(|source| source.tensor == tensor)?;
        match source.expert {
            Some(expert) => self.records.get(expert as usize).map(std::slice::from_ref),
            None => Some(&self.records),
        }
    }
}
