//! `analyze`: what a model sees of a text, as statistics, importance and a report.

use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  llm-quantize analyze ./TinyLlama-1.1B --calibration-data text.txt --imatrix tiny.imatrix.gguf
  llm-quantize analyze ./TinyLlama-1.1B --calibration-data chats.jsonl --statistics tiny.statistics --gram
  llm-quantize quantize ./TinyLlama-1.1B gguf -q IQ2_XS --imatrix tiny.imatrix.gguf

An importance matrix is written in llama.cpp's forms: .gguf, or .dat for old programs. A statistics folder holds what every
calibrated format needs; the same command goes on with one that is not complete.";

/// Arguments of `analyze`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AnalyzeArgs {
    /// Model folder, or a quantized file or folder of any installed format
    pub model: PathBuf,
    /// The text.
    #[command(flatten)]
    pub text: super::calibration::CalibrationArgs,
    /// Folder for the statistics of every linear layer; one that exists is gone on with
    #[arg(long, value_name = "DIR")]
    pub statistics: Option<PathBuf>,
    /// Also gather Gram matrices, which GPTQ and AWQ need (with --statistics)
    #[arg(long, requires = "statistics")]
    pub gram: bool,
    /// Importance matrix to write (.gguf or .dat)
    #[arg(long, value_name = "FILE")]
    pub imatrix: Option<PathBuf>,
    /// Form of the importance matrix [default: by the ending of the file]
    #[arg(long, value_name = "FORM", requires = "imatrix")]
    pub imatrix_form: Option<String>,
    /// Also give the output head an entry in the importance matrix
    #[arg(long, requires = "imatrix")]
    pub process_output: bool,
    /// Look for super weights again, up to this many times, with those found before set to zero: one can hide others
    #[arg(long, value_name = "INT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=64))]
    pub super_weights: u32,
    /// Also write the report to a file: .json, .md or .html
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Threads to use [default: all]
    #[arg(long, value_name = "INT", help_heading = "Resources", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Most memory to use beyond the mapped model files, for example 2GiB
    #[arg(long, value_name = "SIZE", help_heading = "Resources", value_parser = super::size::parse)]
    pub memory_limit: Option<u64>,
}
