//! `imatrix`: what to do with importance matrices.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The commands about importance matrices.
#[derive(Debug, Subcommand)]
pub enum ImatrixCommand {
    /// Show figures of every entry, and everything odd
    Show {
        /// The importance matrix
        file: PathBuf,
        /// Also compare with this model folder: names, sizes, experts
        #[arg(long, value_name = "MODEL")]
        model: Option<PathBuf>,
    },
    /// Add up several importance matrices of one model
    Merge {
        /// The importance matrices
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// What to write
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Write an importance matrix in another form
    Convert {
        /// The importance matrix
        file: PathBuf,
        /// What to write
        #[command(flatten)]
        target: TargetArgs,
    },
}

/// What to write, and how.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// File to write; one that exists is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Form to write, gguf or dat [default: by the ending of the file]
    #[arg(long, value_name = "FORM")]
    pub form: Option<String>,
    /// Tokens per chunk [default: what the files say, else 512]
    #[arg(long, value_name = "INT", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunk_size: Option<u32>,
}
