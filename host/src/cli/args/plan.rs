//! `plan`: plan files, which `quantize --save-plan` writes and `quantize --plan` runs.

use clap::Subcommand;
use std::path::PathBuf;

/// The commands about plan files.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Compare two plan files: what changes in types and in bytes
    Diff {
        /// The plan before
        before: PathBuf,
        /// The plan after
        after: PathBuf,
    },
}
