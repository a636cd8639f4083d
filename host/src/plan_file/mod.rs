//! The plan as a file: written by `--save-plan`, edited by hand, run by `--plan`, compared by `plan diff`.
//!
//! It is TOML with one line per tensor of the output. Everything in it decides bytes: format, level, options, types, and
//! which importance weights there were (the weights themselves come with `--imatrix`).
//! Places and sizes are absent, because they follow; where the output goes and on how many threads is the command line's.

mod apply;
mod diff;
mod document;
mod importance;
mod save;
mod write;

pub use apply::{apply, check_types, verify};
pub use diff::{Change, PlanDiff, Side};
pub use document::{MAX_PLAN_FILE, PlanFile, PlanImportance, PlanModel, PlannedType};
pub use importance::check_importance;
pub use save::{check_place, save};
pub use write::write;
