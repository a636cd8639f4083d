//! Statistics of what arrives at every linear layer, gathered without loss and kept in files that merge.
//!
//! | where | what |
//! |---|---|
//! | `collect` | [`Collector`]: takes rows of one feed while the model runs |
//! | `gram` | [`Gram`]: `sum x x^T`, its kernel and its error bound |
//! | `record` | [`Record`], [`Entry`]: finished statistics and the tensors they belong to |
//! | `views` | importance, means, maxima, a dense Gram matrix |
//! | `merge` | statistics of two texts, or of two parts of one |
//! | `unit` | [`UnitFile`], [`write_unit`]: the file of one unit; `FORMAT.md` describes its bytes |
//! | `folder` | [`Folder`], [`merge_folders`]: the files of a model, complete unit by unit |
//!
//! Only `folder` opens files. The crate knows neither models nor plugins.

#![forbid(unsafe_code)]

mod collect;
mod folder;
mod gram;
mod merge;
mod record;
mod unit;
mod views;

pub use collect::{CollectError, Collector, LARGEST, Options, memory_bytes};
pub use folder::{Folder, FolderError, Manifest, Settings, Subject, Text, Unit, merge_folders};
pub use gram::{Gram, row_start};
pub use merge::MergeError;
pub use record::{Entry, Record, Samples, Source};
pub use unit::{EntryHead, GramWidth, Measure, UnitError, UnitFile, UnitHead, write_unit};

/// Rows that are summed before their sums are added to the totals. Fixed, because it decides rounding.
pub const BLOCK_ROWS: usize = 512;

/// Largest number of channels of a feed.
pub const MAX_COLUMNS: usize = 1 << 18;

/// Largest number of experts of a feed.
pub const MAX_EXPERTS: usize = 1 << 16;
