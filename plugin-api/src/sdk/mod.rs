//! What plugin authors write against: plain Rust traits, no ABI in sight.
//!
//! Every call that enters a plugin is wrapped in `catch_unwind`, so a panic becomes an [`Error`] that the host reports
//! instead of an end of the process. Jobs of [`Context::parallel_for`] are wrapped as well.

mod backend;
mod context;
mod error;
mod export;
mod model;
mod output;
pub(crate) mod panic;
mod shim;
mod statistic;
mod statistics_file;
mod unit;

pub use backend::{Backend, MappedFile, Reader, Session};
pub use context::{Context, LogLevel, Reservation};
pub use error::{Error, Kind};
#[doc(hidden)]
pub use export::{backend_box, install_panic_hook};
pub use model::Model;
pub use output::Output;
pub use statistic::{Statistic, StatisticKind};
pub use statistics_file::StatisticsFile;
pub use unit::{Tensor, Unit};
