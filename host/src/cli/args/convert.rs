//! `convert`: what goes in, what comes out, and whether a second loss is fine. The rest is as for `quantize`.

use clap::Args;

const EXAMPLES: &str = "\
Name a format to see its levels and its own options:
  llm-quantize convert model.gguf gptq --help

Examples:
  llm-quantize convert model-Q8_0.gguf gptq -q 4bit --force
  llm-quantize convert ./model-gptq-4bit gguf --force          (the level that is closest to the input's bits)
  llm-quantize convert model-Q8_0.gguf gguf -q F16             (loses nothing, so nothing is asked)
  llm-quantize convert ./model-gptq-4bit gguf --dry-run

Encoding quantized weights anew loses a second time. Where that is as much as the first time or more, convert asks on a
terminal; elsewhere it stops with exit code 9 unless --force is there. Exit code 8: no such conversion.";

/// Arguments of `convert` as typed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConvertArgs {
    /// Quantized model: a file (or any shard) or folder in a format that an installed plugin reads; folders that are not
    /// quantized are taken as by `quantize`
    #[arg(value_name = "INPUT_MODEL")]
    pub model: String,
    /// Target format, for example gguf; `plugins list` shows the installed ones
    #[arg(value_name = "OUTPUT_FORMAT")]
    pub output_format: String,
    /// Quantization level, for example Q4_K_M [default: the one closest to the input's bits per weight]
    #[arg(short, long, value_name = "LEVEL")]
    pub quant_level: Option<String>,
    /// Convert without a question even if the weights lose quality a second time
    // Scripts that know `quantize` say the same by its name.
    #[arg(long, visible_alias = "allow-requantize")]
    pub force: bool,
    /// The job.
    #[command(flatten)]
    pub job: super::job::JobArgs,
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Typed};
    use super::*;
    use clap::Parser;

    fn typed(line: &str) -> Result<ConvertArgs, clap::Error> {
        match Typed::try_parse_from(format!("llm-quantize convert {line}").split_whitespace())?.command {
            Command::Convert(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_contract_s_options_and_those_of_quantize() {
        let args = typed("m.gguf awq -o out -n name --force --calibration-data d.txt --set a=b").unwrap();
        assert_eq!((args.model.as_str(), args.output_format.as_str()), ("m.gguf", "awq"));
        assert_eq!((args.force, args.quant_level), (true, None));
        assert_eq!((args.job.output_dir, args.job.output_name), ("out".into(), Some("name".into())));
        assert_eq!(args.job.text.calibration_data.len(), 1);
        assert!(typed("m.gguf awq -q 4bit --allow-requantize").unwrap().force);
        assert!(!typed("m.gguf awq").unwrap().force);
        assert!(typed("m.gguf").is_err() && typed("m.gguf awq more").is_err());
    }
}
