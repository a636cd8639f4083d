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
    /// The original's log-probabilities, in llama.cpp's form.
    pub base_logits: Option<PathBuf>,
    /// Where this model's log-probabilities go, in llama.cpp's form.
    pub save_base_logits: Option<PathBuf>,
    /// The text; the one of `base_logits` if absent.
    pub data: Option<PathBuf>,
    /// Texts that the model was calibrated on, which must be others.
    pub calibration_data: Vec<PathBuf>,
    /// Folder of the tokenizer, if not the original's or the model's.
    pub tokenizer: Option<PathBuf>,
    /// Tokens of a chunk; those of `base_logits` if absent.
    pub context: Option<usize>,
    /// Most chunks.
    pub chunks: Option<usize>,
    /// Which positions count. Files of log-probabilities know the second half only.
    pub counting: Counting,
    /// Whether each layer is also held against the original's by itself. Needs `against`.
    pub by_layer: bool,
    /// Threads, all if absent.
    pub threads: Option<usize>,
    /// Most memory.
    pub memory_limit: Option<u64>,
}

impl EvaluationSpec {
    /// Tokens of a chunk where neither the user nor a file says.
    pub const CONTEXT: usize = 512;
}
