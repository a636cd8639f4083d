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
