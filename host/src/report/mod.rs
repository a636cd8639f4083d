//! Everything that reaches a person's eyes: figures, tables, progress, results. No file is read here.

mod check;
mod convert;
mod imatrix;
mod info;
mod job;
mod modules;
pub mod number;
mod plan;
mod plan_diff;
mod plugins;
mod progress;
mod statistics;
mod table;

pub use check::{check, check_object};
pub use convert::conversion;
pub use imatrix::imatrix;
pub use info::info;
pub use job::job;
pub use modules::modules;
pub use plan::plan;
pub use plan_diff::plan_diff;
pub use plugins::{Diagnosis, PluginPortrait, doctor, doctor_object, plugin_info, plugin_list, plugin_rows};
pub use progress::Progress;
pub use statistics::{StatisticsShown, statistics};
pub use table::{Align, Table};
