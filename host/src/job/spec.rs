//! What is meant by one quantization, whoever asked for it.

use super::choice::Choice;
use super::fallback::OnFallback;
use crate::statistics::Supply;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// One quantization job in typed form.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// Model folder.
    pub model: PathBuf,
    /// Format id, one that the chosen backend can write.
    pub format: String,
    /// Level id or alias, ASCII case ignored.
    pub level: String,
    /// Folder of the output; created if it does not exist.
    pub output_dir: PathBuf,
    /// Name of the output, with or without its ending; `<model>-<level>` if absent.
    pub output_name: Option<String>,
    /// Options of the format in the descriptor's names.
    pub options: Map<String, Value>,
    /// Who chooses the encodings of single tensors.
    pub choice: Choice,
    /// Worker threads; every core this process may use if absent.
    pub threads: Option<usize>,
    /// Largest anonymous memory in bytes; what the machine has available if absent.
    pub memory_limit: Option<u64>,
    /// Whether and where progress survives the process.
    pub checkpoints: Checkpoints,
    /// Whether an output *folder* that exists may be replaced. A single file that exists is always replaced, in one
    /// step and only once the new one is valid.
    pub overwrite: bool,
    /// Whether tensors that are quantized already may be encoded anew, at a second loss.
    pub allow_requantize: bool,
    /// Whether something that is done in a simpler way than the level promises stops the job.
    pub on_fallback: OnFallback,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Who writes, for formats that record it.
    pub creator: String,
    /// Statistics from files.
    pub statistics: Option<Supply>,
}

/// Whether and where progress survives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkpoints {
    /// No journal: a stopped job starts over.
    Off,
    /// A journal in a folder of its own. A job that stopped goes on where it was when the same job is started again.
    On {
        /// Folder that holds one folder per output; `<output_dir>/.checkpoint` if absent.
        dir: Option<PathBuf>,
        /// Checkpoint that must exist and must fit: anything else is an error rather than a fresh start.
        resume: Option<PathBuf>,
    },
}

impl Default for Checkpoints {
    fn default() -> Checkpoints {
        Checkpoints::On { dir: None, resume: None }
    }
}
