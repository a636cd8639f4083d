//! `evaluate`: how good a model is on a text.

use clap::Args;
use llmq_measure::Counting;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  llm-quantize evaluate ./TinyLlama-1.1B --data wiki.test.txt
  llm-quantize evaluate TinyLlama-1.1B-Q4_K_M.gguf --against ./TinyLlama-1.1B --data wiki.test.txt --chunks 64
  llm-quantize --format json evaluate out.gguf --against ./model --data test.jsonl --score second-half
  llm-quantize evaluate ./model-awq --against ./model --data wiki.test.txt --chunks 16 --by-layer
  llm-quantize evaluate ./model --data wiki.test.txt --save-base-logits model.kld
  llm-quantize evaluate out.gguf --base-logits model.kld --tokenizer ./model

Perplexity counts every token of a chunk but the first. --score second-half counts as llama-perplexity does: only tokens
with half a chunk before them, with the beginning-of-text token put in place of each chunk's first token.

Files of log-probabilities are llama-perplexity's (--kl-divergence-base). They hold the text's tokens and, in 16 bits, what
the original expects in the second half of every chunk: 2 bytes per token of the vocabulary and position.";

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvaluateArgs {
    /// Model folder, or a quantized file or folder of any installed format
    pub model: PathBuf,
    /// The original: adds divergence from it and agreement with it
    #[arg(long, value_name = "ORIGINAL", conflicts_with_all = ["base_logits", "save_base_logits"])]
    pub against: Option<PathBuf>,
    /// The original's log-probabilities in place of the original: text, context and chunks come from there
    #[arg(long, value_name = "FILE", conflicts_with = "save_base_logits")]
    pub base_logits: Option<PathBuf>,
    /// Write this model's log-probabilities, to hold others against
    #[arg(long, value_name = "FILE")]
    pub save_base_logits: Option<PathBuf>,
    /// Text to evaluate on: .txt, .jsonl, .json or .parquet
    #[arg(long, value_name = "FILE", required_unless_present = "base_logits")]
    pub data: Option<PathBuf>,
    /// Tokens per chunk [default: 512]
    #[arg(long, value_name = "INT", value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub context: Option<u32>,
    /// Most chunks [default: the whole text]
    #[arg(long, value_name = "INT", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunks: Option<u32>,
    /// Which tokens count: all or second-half [default: all; with a file of log-probabilities second-half]
    #[arg(long, value_name = "WHICH")]
    pub score: Option<Counting>,
    /// Folder with tokenizer.json [default: the original, else the model]
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// Also tell the error of each layer by itself, when it is handed what arrives there in the original
    #[arg(long, requires = "against")]
    pub by_layer: bool,
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
