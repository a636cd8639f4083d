//! What `quantize` and `convert` have in common: everything about the job but what goes in and whether a loss is fine.

use crate::job::OnFallback;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use llmq_plugin_api::wire::SeenByLaterLayers;
use std::path::PathBuf;

/// Arguments of a job as typed. `None` and empty mean: not typed.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Output directory, created if it does not exist
    #[arg(short, long, value_name = "PATH", default_value = ".")]
    pub output_dir: PathBuf,
    /// Output name, with or without the format's ending [default: MODEL-LEVEL]
    #[arg(short = 'n', long, value_name = "NAME")]
    pub output_name: Option<String>,
    /// Replace an output folder or a saved plan that exists already (a single output file is always replaced, once the new
    /// one is valid)
    #[arg(long)]
    pub overwrite: bool,
    /// Show the exact plan (every tensor's type, sizes, memory) and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Write the plan to FILE, one line per tensor, to be edited and run with --plan; quantize nothing
    #[arg(long, value_name = "FILE")]
    pub save_plan: Option<PathBuf>,
    /// Take level, options and every tensor's type from a plan file
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["quant_level", "tensor_type", "tensor_type_file", "group_size", "set"]
    )]
    pub plan: Option<PathBuf>,

    /// Also write the result to a file: .json (what --format json prints), or .csv with a line for every module
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// What to do where a module gets less than its level promises, such as plain rounding because no token of the
    /// calibration reached it: warn, or fail (exit code 6; finished work is kept)
    #[arg(long, value_name = "WORD", default_value = "warn", value_parser = on_fallback())]
    pub on_fallback: OnFallback,

    /// Types of single tensors.
    #[command(flatten)]
    pub encodings: super::encodings::EncodingArgs,

    /// The text of a calibration.
    #[command(flatten)]
    pub text: super::calibration::CalibrationArgs,
    /// What a layer of the calibration gets from the layers before it: what the original ones give, or the quantized ones,
    /// layer by layer or stage by stage (linear layers of one input are a stage); calibrating and quantizing then take
    /// turns, for one level at a time [default: what the level says, which is original for all here]
    #[arg(long, value_name = "WORD", help_heading = "Calibration", value_parser = later_layers_see())]
    pub later_layers_see: Option<SeenByLaterLayers>,
    /// Weights that share one scale, for formats with a free group size [default: 128]
    #[arg(long, value_name = "INT", help_heading = "Calibration", allow_negative_numbers = true)]
    pub group_size: Option<String>,

    /// Importance matrix (.gguf or .dat of llama-imatrix); several are added up
    #[arg(long, value_name = "FILE", help_heading = "Calibration")]
    pub imatrix: Vec<PathBuf>,
    /// Folder of statistics of this very model that `analyze --statistics DIR` wrote
    #[arg(long, value_name = "DIR", help_heading = "Calibration", conflicts_with = "imatrix")]
    pub statistics: Option<PathBuf>,
    /// Use only its entries whose names hold TEXT (repeatable)
    // A requirement that conflicts with another option counts as met, so the conflict is said as well.
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Calibration",
        requires = "imatrix",
        conflicts_with = "statistics"
    )]
    pub include_weights: Vec<String>,
    /// Use none of its entries whose names hold TEXT (repeatable)
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Calibration",
        requires = "imatrix",
        conflicts_with_all = ["include_weights", "statistics"]
    )]
    pub exclude_weights: Vec<String>,

    /// Keep no checkpoint: an interrupted job starts from the beginning
    #[arg(long, help_heading = "Checkpoints", conflicts_with_all = ["checkpoint_dir", "resume"])]
    pub no_checkpoints: bool,
    /// Where checkpoints are kept [env: LLM_QUANTIZE_CHECKPOINT_DIR] [default: .checkpoint in the output directory]
    // Read from the environment later, not by clap: a variable must not conflict with --no-checkpoints.
    #[arg(long, value_name = "PATH", help_heading = "Checkpoints")]
    pub checkpoint_dir: Option<PathBuf>,
    /// Continue an interrupted job, from its own checkpoint or the one at PATH (write it last, or as --resume=PATH)
    #[arg(long, value_name = "PATH", num_args = 0..=1, help_heading = "Checkpoints")]
    pub resume: Option<Option<PathBuf>>,

    /// Threads to use [default: all]
    #[arg(long, value_name = "INT", help_heading = "Resources", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Most memory to use beyond the mapped model files, for example 2GiB
    #[arg(long, value_name = "SIZE", help_heading = "Resources", value_parser = super::size::parse)]
    pub memory_limit: Option<u64>,
    /// Device to compute on: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu", help_heading = "Resources")]
    pub device: String,

    /// An option of the format by its name in the plugin, the same as its own --name (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

fn on_fallback() -> impl TypedValueParser<Value = OnFallback> {
    let parser = PossibleValuesParser::new(["warn", "fail"]);
    parser.map(|word| if word == "fail" { OnFallback::Fail } else { OnFallback::Warn })
}

fn later_layers_see() -> impl TypedValueParser<Value = SeenByLaterLayers> {
    let all = SeenByLaterLayers::ALL;
    let parser = PossibleValuesParser::new(all.map(SeenByLaterLayers::word));
    parser.map(move |word| all.into_iter().find(|seen| seen.word() == word).unwrap_or_default())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.replace('-', "_"), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form KEY=VALUE")),
    }
}
