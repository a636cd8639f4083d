//! What was typed: the command line as clap sees it. What is meant is worked out in the neighbouring rooms.

#![allow(rustdoc::broken_intra_doc_links)] // doc comments here are help texts, brackets and all

pub mod analyze;
pub mod backend_options;
pub mod calibration;
pub mod convert;
pub mod encodings;
pub mod evaluate;
pub mod format_word;
pub mod imatrix;
pub mod job;
pub mod plan;
pub mod plugins;
pub mod quantize;
pub mod size;
pub mod statistics;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  llm-quantize quantize ./TinyLlama-1.1B gguf -q Q4_K_M
  llm-quantize quantize ./TinyLlama-1.1B gguf -q Q4_K_M --dry-run
  llm-quantize quantize TinyLlama/TinyLlama-1.1B-Chat-v1.0 gguf -q Q4_K_M   (from the Hugging Face Hub)
  llm-quantize quantize ./TinyLlama-1.1B gguf --help      (levels and options of one format)
  llm-quantize convert TinyLlama-1.1B-Q8_0.gguf gptq -q 4bit --force
  llm-quantize info TinyLlama-1.1B-Q4_K_M.gguf
  llm-quantize analyze ./TinyLlama-1.1B --calibration-data text.txt --imatrix tiny.imatrix.gguf
  llm-quantize evaluate TinyLlama-1.1B-Q4_K_M.gguf --against ./TinyLlama-1.1B --data test.txt
  llm-quantize plugins list

Results go to stdout, everything else to stderr.
With --format json, stdout holds exactly one JSON object: the result or the error.
Exit codes: 0 success, 1 general error, 2 invalid arguments, 3 model not found,
  4 authentication required, 5 out of memory, 6 validation failed, 7 checkpoint error,
  8 unsupported conversion, 9 cancelled at the quality warning, 130 interrupted";

/// Quantize Hugging Face models to any format, through backends that anyone can write.
#[derive(Debug, Parser)]
#[command(name = "llm-quantize", version, after_help = EXAMPLES, max_term_width = 120, disable_help_subcommand = true)]
pub struct Typed {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command, accepted in front of and behind its name.
#[derive(Debug, Args)]
pub struct Global {
    /// Form of results and errors: human or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "human",
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    pub format: ResultFormat,
    /// How much is told on stderr: quiet (errors only), normal, verbose or debug
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "normal",
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    pub verbosity: Verbosity,
    /// Look for plugins here first (repeatable)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub plugin_dir: Vec<PathBuf>,
    /// Use this plugin where several handle the format
    #[arg(long, global = true, value_name = "ID", help_heading = "Global options")]
    pub plugin: Option<String>,
    /// Load plugins even from files or folders that other users may write
    #[arg(long, global = true, help_heading = "Global options")]
    pub allow_insecure_plugins: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Quantize a model to a format
    Quantize(Box<quantize::QuantizeArgs>),
    /// Convert a quantized model to another format or level
    Convert(Box<convert::ConvertArgs>),
    /// Show what a model folder or a quantized file holds
    Info(InfoArgs),
    /// Look at what a model sees of a text: importance, statistics, outliers, super weights
    Analyze(Box<analyze::AnalyzeArgs>),
    /// Measure how good a model is on a text, by itself or against its original
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Show, add up and convert importance matrices
    #[command(subcommand)]
    Imatrix(imatrix::ImatrixCommand),
    /// Show, add up and export the statistics that `analyze --statistics` gathers
    #[command(subcommand)]
    Statistics(statistics::StatisticsCommand),
    /// Compare plan files, which `quantize --save-plan` writes and `quantize --plan` runs
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// List, describe and check the installed format plugins
    #[command(subcommand)]
    Plugins(plugins::PluginsCommand),
}

/// `info`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  llm-quantize info ./TinyLlama-1.1B\n  llm-quantize --format json info model.gguf")]
pub struct InfoArgs {
    /// Model folder, quantized file, or org/name[@revision] on the Hugging Face Hub (only headers are fetched)
    pub model: String,
    /// List every tensor
    #[arg(long)]
    pub tensors: bool,
}

/// Form of results and errors on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// Text for people.
    Human,
    /// One JSON object.
    Json,
}

/// How much is told on stderr. Each level tells all that the ones before it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Steps, progress and warnings.
    Normal,
    /// Details, and memory after every unit.
    Verbose,
    /// Everything.
    Debug,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Typed::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in [
            "llm-quantize --format json --verbosity quiet --plugin-dir a --plugin-dir b info m",
            "llm-quantize info m --format json --verbosity quiet --plugin-dir a --plugin-dir b",
        ] {
            let typed = Typed::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(typed.global.format, ResultFormat::Json);
            assert_eq!(typed.global.verbosity, Verbosity::Quiet);
            assert_eq!(typed.global.plugin_dir, [PathBuf::from("a"), PathBuf::from("b")]);
        }
    }
}
