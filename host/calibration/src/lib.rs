//! Statistics of what arrives at every linear layer, gathered without loss.
//!
//! | where | what |
//! |---|---|
//! | `collect` | [`Collector`]: takes rows of one feed while the model runs |
//! | `gram` | [`Gram`]: `sum x x^T`, its kernel and its error bound |
//! | `record` | [`Record`], [`Entry`]: finished statistics and the tensors they belong to |
//! | `views` | importance, means, maxima, a dense Gram matrix |
//!
//! The crate knows neither models nor plugins.

#![forbid(unsafe_code)]

mod collect;
mod gram;
mod record;
mod views;

pub use collect::{CollectError, Collector, LARGEST, Options, memory_bytes};
pub use gram::{Gram, row_start};
pub use record::{Entry, Record, Samples, Source};

/// Rows that are summed before their sums are added to the totals. Fixed, because it decides rounding.
pub const BLOCK_ROWS: usize = 512;

/// Largest number of channels of a feed.
pub const MAX_COLUMNS: usize = 1 << 18;

/// Largest number of experts of a feed.
pub const MAX_EXPERTS: usize = 1 << 16;
