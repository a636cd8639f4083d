//! `evaluate`: how good a model is on a text.

use clap::Args;
use llmq_measure::Counting;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  llm-quantize evaluate ./TinyLlama-1.1B --data wiki.test.txt
  llm-quantize evaluate TinyLlama-1.1B-Q4_K_M.gguf --against ./TinyLlama-1.1B --data wiki.test.txt --chunks 64
  llm-quantize --format json evaluate out.gguf --against ./model --data test.jsonl --score second-half

Perplexity counts every token of a chunk but the first. --score second-half counts as llama-perplexity does: only tokens
with half a chunk before them, with the beginning-of-text token put in place of each chunk's first token.";

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvaluateArgs {
    /// Model folder, or a quantized file or folder of any installed format
    pub model: PathBuf,
    /// The original: adds divergence from it and agreement with it
    #[arg(long, value_name = "ORIGINAL")]
    pub against: Option<PathBuf>,
    /// Text to evaluate on: .txt, .jsonl, .json or .parquet
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Tokens per chunk
    #[arg(long, value_name = "INT", default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub context: u32,
    /// Most chunks [default: the whole text]
    #[arg(long, value_name = "INT", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunks: Option<u32>,
    /// Which tokens count: all or second-half
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pub score: Counting,
    /// Folder with tokenizer.json [default: the original, else the model]
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// Text that the model was calibrated on, to make sure that it is another one (repeatable)
    #[arg(long, value_name = "FILE")]
    pub calibration_data: Vec<PathBuf>,
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
