//! What `imatrix show` tells about a table.

use super::{Figures, Problem};
use llmq_plugin_api::wire::{Counted, StatisticsOrigin};
use serde::Serialize;

/// Result of `imatrix show`.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// File names, texts, entries, chunks.
    #[serde(flatten)]
    pub origin: StatisticsOrigin,
    /// Word of the kind of statistics.
    pub kind: String,
    /// Unit of the counts.
    pub counted: Counted,
    /// Tokens of a chunk, if stated.
    pub chunk_size: Option<u64>,
    /// Plugin that read it.
    pub plugin: String,
    /// Figures of every entry with data.
    pub tensors: Vec<Figures>,
    /// Everything odd.
    pub problems: Vec<Problem>,
}
