//! The file of one unit: a safetensors file whose layout follows from a short description of its entries.
//!
//! `FORMAT.md` in this crate describes the bytes. Safetensors, because every tool can look into it; the description (feeds,
//! sources, counts of samples) is JSON in its metadata. A reader computes the layout from the description and accepts
//! only a header that says the same.

mod head;
mod layout;
mod read;
mod values;
mod write;

use std::io;

use thiserror::Error;

pub use head::{EntryHead, GramWidth, UnitHead};
pub use read::UnitFile;
pub use values::Measure;
pub use write::write_unit;

/// Version of the file's layout.
pub const VERSION: u32 = 1;

/// Longest header that is read, in bytes. A unit of 256 experts in three tensors each needs 100 KiB.
pub const MAX_HEADER: u64 = 64 << 20;

/// Most entries of a unit.
pub const MAX_ENTRIES: usize = 1 << 16;

/// Why a unit's file cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file ends early or has bytes beyond its end.
    #[error("the file has {found} bytes where its header needs {expected}")]
    Length {
        /// Bytes of the file.
        found: u64,
        /// Bytes that the header needs.
        expected: u64,
    },
    /// A header that is longer than any real one.
    #[error("its header says to have {0} bytes; {MAX_HEADER} are the most that is read")]
    HeaderLength(u64),
    /// A header that is not one.
    #[error("its header is not that of a statistics file: {0}")]
    Header(String),
    /// A layout that this version does not know.
    #[error("it has version {0} of the layout; this program knows version {VERSION}")]
    Version(u32),
    /// Sizes beyond the limits, or that do not belong together.
    #[error("entry `{feed}` is not possible: {problem}")]
    Entry {
        /// The feed.
        feed: String,
        /// What is wrong.
        problem: String,
    },
    /// The header's tensors are not those that the description asks for.
    #[error("tensor `{0}` is missing, unexpected, or has another type, shape or place than its entry needs")]
    Tensor(String),
    /// Values that no collector gives.
    #[error("tensor `{tensor}` has a value that cannot be: {problem}")]
    Value {
        /// The tensor.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// No entry of that number.
    #[error("it has {entries} entries; number {entry} was asked for")]
    NoEntry {
        /// What was asked for.
        entry: usize,
        /// What is there.
        entries: usize,
    },
}
