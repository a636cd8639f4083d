//! Importance matrices: llama-imatrix's files, in both of its forms, read and written as it reads and writes them.
//!
//! | where | what |
//! |---|---|
//! | `file` | [`ImatrixFile`]: a parsed file, whichever form it has |
//! | `container` | the GGUF form: sums and token counts, one per expert |
//! | `legacy` | the older `.dat` form: means times chunks, one count per tensor |
//! | `names` | which tensors of a model can have an entry, and which source tensors these are |
//! | `error` | what can be wrong |

mod container;
mod error;
mod file;
mod legacy;
mod names;

pub use error::ImatrixError;
pub use file::{ImatrixFile, recognize};
pub(crate) use names::{named, names};

use llmq_plugin_api::sdk::{Error, Kind, Output};
use llmq_plugin_api::wire::{StatisticsForm, StatisticsSummary};

/// The GGUF form's id.
const GGUF: &str = "gguf";
/// The older form's id.
const DAT: &str = "dat";
/// What every file here holds.
const SUM_SQUARES: &str = "sum_squares";
/// Tokens of a chunk where nobody says: llama-imatrix's own default.
const DEFAULT_CHUNK: u64 = 512;

/// The forms that are written.
pub(crate) fn forms() -> Vec<StatisticsForm> {
    let form = |id: &str, extension: &str, summary: &str| StatisticsForm {
        id: id.to_owned(),
        extension: extension.to_owned(),
        summary: summary.to_owned(),
    };
    vec![
        form(GGUF, "gguf", "importance matrix as llama-imatrix writes it since 2025, with a count per expert"),
        form(DAT, "dat", "importance matrix in the older form, which ik_llama.cpp and older releases read"),
    ]
}

/// Writes a file in the form that the summary asks for.
pub(crate) fn write(summary: &StatisticsSummary, values: &[&[f32]], out: &Output) -> Result<(), Error> {
    if summary.kind != SUM_SQUARES {
        let message = format!("importance matrices hold sums of squares, not `{}`", summary.kind);
        return Err(Error::new(Kind::InvalidRequest, message));
    }
    for (entry, values) in summary.entries.iter().zip(values) {
        let vectors = entry.counts.len();
        if vectors == 0 || values.is_empty() || !values.len().is_multiple_of(vectors) {
            let message = format!("the entry `{}` has {} values for {vectors} counts", entry.name, values.len());
            return Err(Error::new(Kind::InvalidRequest, message).subject(&entry.name));
        }
    }
    match summary.form.as_str() {
        GGUF => container::write(summary, values, out),
        DAT => legacy::write(summary, values, out),
        other => Err(Error::new(Kind::InvalidRequest, format!("importance matrices have no form `{other}`"))),
    }
}

/// Entries in the order of their names, as llama-imatrix writes them.
fn sorted(summary: &StatisticsSummary) -> Vec<usize> {
    let mut order: Vec<usize> = (0..summary.entries.len()).collect();
    order.sort_by(|a, b| summary.entries[*a].name.as_bytes().cmp(summary.entries[*b].name.as_bytes()));
    order
}

/// Chunks by the largest count, in whole chunks.
fn whole_chunks(summary: &StatisticsSummary, chunk: u64) -> u64 {
    let largest = summary.entries.iter().flat_map(|entry| &entry.counts).max();
    largest.copied().unwrap_or(0) / chunk
}

/// Tokens of a chunk, never zero.
fn chunk_size(summary: &StatisticsSummary) -> u64 {
    summary.chunk_size.filter(|size| *size > 0).unwrap_or(DEFAULT_CHUNK)
}
