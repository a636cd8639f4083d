//! `statistics`: what to do with the folders that `analyze --statistics` writes.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The commands about statistics folders.
#[derive(Debug, Subcommand)]
pub enum StatisticsCommand {
    /// Show what a folder holds: texts, units, and figures of every tensor
    Show {
        /// The folder
        folder: PathBuf,
        /// Also read every file whole and compare it with its checksum
        #[arg(long)]
        verify: bool,
    },
    /// Add up statistics of one model over several texts, gathered anywhere
    Merge(MergeArgs),
    /// Write an importance matrix from statistics, with no second run of the model
    Export(ExportArgs),
}

/// `statistics merge`
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The folders
    #[arg(required = true, num_args = 2.., value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Folder to write; a merge that was stopped is gone on with
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Allow the same text in several folders, which counts it several times
    #[arg(long)]
    pub same_text: bool,
}

/// `statistics export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The folder
    pub folder: PathBuf,
    /// The model that the statistics are of
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// Importance matrix to write (.gguf or .dat)
    #[arg(long, value_name = "FILE")]
    pub imatrix: PathBuf,
    /// Form of the importance matrix [default: by the ending of the file]
    #[arg(long, value_name = "FORM")]
    pub imatrix_form: Option<String>,
    /// Also give the output head an entry in the importance matrix
    #[arg(long)]
    pub process_output: bool,
}
