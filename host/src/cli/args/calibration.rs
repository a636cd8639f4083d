//! The text of a calibration, as `analyze` and `quantize` take it.

use crate::calibrate::{SAMPLES, SEQLEN, TextSpec};
use clap::Args;
use std::path::PathBuf;

/// Which text, and how much of it. `None` and empty mean: not typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CalibrationArgs {
    /// Text to calibrate with: .txt, .jsonl, .json or .parquet (repeatable) [default: WikiText-2 from the Hub, else a small
    /// bundled text, with a warning]
    #[arg(long, value_name = "FILE", help_heading = "Calibration")]
    pub calibration_data: Vec<PathBuf>,
    /// Tokens per sample [default: 512]
    #[arg(long, value_name = "INT", help_heading = "Calibration", value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub calibration_seqlen: Option<u32>,
    /// Most samples [default: 256]
    #[arg(long, value_name = "INT", help_heading = "Calibration", value_parser = clap::value_parser!(u32).range(1..))]
    pub calibration_samples: Option<u32>,
    /// Take samples in an order drawn with this seed, from the whole text [default: the first ones]
    #[arg(long, value_name = "SEED", help_heading = "Calibration")]
    pub calibration_shuffle: Option<u64>,
    /// Folder with tokenizer.json [default: the model]
    #[arg(long, value_name = "DIR", help_heading = "Calibration")]
    pub tokenizer: Option<PathBuf>,
}

impl CalibrationArgs {
    /// The options that were typed.
    pub fn typed(&self) -> Vec<&'static str> {
        let typed = [
            ("--calibration-data", !self.calibration_data.is_empty()),
            ("--calibration-samples", self.calibration_samples.is_some()),
            ("--calibration-seqlen", self.calibration_seqlen.is_some()),
            ("--calibration-shuffle", self.calibration_shuffle.is_some()),
            ("--tokenizer", self.tokenizer.is_some()),
        ];
        typed.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
    }

    /// What they mean.
    pub fn text(self) -> TextSpec {
        TextSpec {
            files: self.calibration_data,
            seqlen: self.calibration_seqlen.map_or(SEQLEN, |tokens| tokens as usize),
            samples: self.calibration_samples.map_or(SAMPLES, |samples| samples as usize),
            shuffle: self.calibration_shuffle,
            tokenizer: self.tokenizer,
        }
    }
}
