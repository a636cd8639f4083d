//! `quantize`: the options that every format shares. A format's own options join once the format is known.

use clap::Args;

const EXAMPLES: &str = "\
Name a format to see its levels and its own options:
  llm-quantize quantize ./model gguf --help

Examples:
  llm-quantize quantize ./model gguf -q Q4_K_M
  llm-quantize quantize ./model gguf -q Q4_K_M -o ./out -n my-model
  llm-quantize quantize ./model gguf -q Q4_K_M --resume
  llm-quantize --format json quantize ./model gguf -q Q4_K_M";

/// Arguments of `quantize` as typed. `None` and empty mean: not typed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct QuantizeArgs {
    /// Model folder in Hugging Face layout (config.json, *.safetensors, tokenizer files), a file (or any shard) in a format
    /// that an installed plugin reads, or org/name[@revision] on the Hugging Face Hub; a path of that name wins
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Target format, for example gguf; `plugins list` shows the installed ones
    #[arg(value_name = "OUTPUT_FORMAT")]
    pub output_format: String,
    /// Quantization level, for example Q4_K_M
    #[arg(short, long, value_name = "LEVEL", required_unless_present = "plan")]
    pub quant_level: Option<String>,
    /// Encode tensors anew that are quantized already, at a second loss (for sources such as GGUF files)
    #[arg(long)]
    pub allow_requantize: bool,
    /// The job.
    #[command(flatten)]
    pub job: super::job::JobArgs,
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Typed};
    use super::*;
    use crate::job::OnFallback;
    use clap::Parser;
    use std::path::PathBuf;

    fn typed(line: &str) -> Result<QuantizeArgs, clap::Error> {
        match Typed::try_parse_from(format!("llm-quantize quantize {line}").split_whitespace())?.command {
            Command::Quantize(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_contract_s_options() {
        let line = "m gptq -q 4bit -o out -n name --calibration-data d.json --calibration-samples 64 --group-size 32 \
                    --checkpoint-dir c --resume r --threads 2 --memory-limit 2GiB --set act_order=true --set a-b=c=d --on-fallback fail";
        let args = typed(line).unwrap();
        assert_eq!(
            (args.model.as_str(), args.output_format.as_str(), args.quant_level.as_deref()),
            ("m", "gptq", Some("4bit"))
        );
        let args = args.job;
        assert_eq!(args.output_dir, PathBuf::from("out"));
        assert_eq!(args.output_name.as_deref(), Some("name"));
        assert_eq!(args.text.calibration_data, [PathBuf::from("d.json")]);
        assert_eq!((args.text.calibration_samples, args.group_size.as_deref()), (Some(64), Some("32")));
        assert_eq!((args.checkpoint_dir, args.resume), (Some("c".into()), Some(Some("r".into()))));
        assert_eq!((args.threads, args.memory_limit), (Some(2), Some(2 << 30)));
        assert_eq!((args.on_fallback, args.report.as_deref()), (OnFallback::Fail, None));
        assert_eq!(args.set, [("act_order".into(), "true".into()), ("a_b".into(), "c=d".into())]);
    }

    #[test]
    fn resume_takes_a_path_or_none() {
        assert_eq!(typed("m gguf -q Q4_0").unwrap().job.resume, None);
        assert_eq!(typed("m gguf -q Q4_0 --resume").unwrap().job.resume, Some(None));
        assert_eq!(typed("m gguf --resume -q Q4_0").unwrap().job.resume, Some(None));
        assert_eq!(typed("m gguf --resume=c -q Q4_0").unwrap().job.resume, Some(Some("c".into())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "m gguf",
            "m -q Q4_0",
            "m gguf -q Q4_0 --threads 0",
            "m gguf -q Q4_0 --memory-limit much",
            "m gguf -q Q4_0 --no-checkpoints --resume",
            "m gguf -q Q4_0 --set novalue",
            "m gguf -q Q4_0 --calibration-samples 0",
            "m gguf -q Q4_0 --include-weights a",
            "m gguf -q Q4_0 --statistics s --imatrix i",
            "m gguf -q Q4_0 --statistics s --include-weights a",
            "m gguf --plan p -q Q4_0",
            "m gguf --plan p --tensor-type a=b",
            "m gguf --plan p --set a=b",
            "m gguf -q Q4_0 --imatrix i --include-weights a --exclude-weights b",
        ] {
            assert!(typed(line).is_err(), "{line}");
        }
    }
}
