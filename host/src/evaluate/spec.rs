//! What is meant by an evaluation.

use llmq_measure::Counting;
use std::path::PathBuf;

/// An evaluation as it is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationSpec {
    /// The model: a folder, or a file that a backend reads.
    pub model: PathBuf,
    /// The original.
    pub against: Option<PathBuf>,
    /// The text.
    pub data: PathBuf,
    /// Texts that the model was calibrated on, which must be others.
    pub calibration_data: Vec<PathBuf>,
    /// Folder of the tokenizer, if not the original's or the model's.
    pub tokenizer: Option<PathBuf>,
    /// Tokens of a chunk.
    pub context: usize,
    /// Most chunks.
    pub chunks: Option<usize>,
    /// Which positions count.
    pub counting: Counting,
    /// Threads, all if absent.
    pub threads: Option<usize>,
    /// Most memory.
    pub memory_limit: Option<u64>,
}

impl EvaluationSpec {
    /// Bytes that the hidden states of each of `models` may take: half of the limit, else half of what the machine has left.
    pub fn room(&self, models: u64) -> u64 {
        let all = self.memory_limit.or_else(crate::memory::available).unwrap_or(4 << 30);
        all / 2 / models.max(1)
    }
}
