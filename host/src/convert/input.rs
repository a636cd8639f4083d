//! What goes into a conversion.

use crate::job::Weights;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The model that is converted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// File or folder.
    pub path: PathBuf,
    /// Format id; `huggingface` for a folder that is not quantized.
    pub format: String,
    /// Level as the reader calls it, or the dtype of most weights (`BF16`).
    pub level: String,
    /// Stored bits per weight of the quantized tensors, or of all if none is quantized.
    pub bits_per_weight: f64,
    /// Whether any tensor is quantized.
    pub quantized: bool,
}

impl Input {
    /// What a source says of itself.
    pub fn of(path: &Path, weights: &dyn Weights) -> Input {
        let description = weights.description();
        let tensors = || description.tensors.iter().enumerate();
        let quantized = tensors().any(|(index, _)| weights.encoding(index).is_some());
        let counted = || tensors().filter(|(index, _)| !quantized || weights.encoding(*index).is_some());
        let elements: u64 = counted().map(|(_, tensor)| tensor.elements()).fold(0, u64::saturating_add);
        let stored: u64 = counted().map(|(index, _)| weights.stored_bytes(index)).fold(0, u64::saturating_add);
        // Formats that are decoded with scales from other tensors may not say what a single tensor takes.
        let stored = if stored == 0 { weights.source_bytes() } else { stored };
        let (format, level) = match weights.stored_format() {
            Some((format, level)) => (format.to_owned(), level.to_owned()),
            None => ("huggingface".to_owned(), description.dtype.clone()),
        };
        let bits_per_weight = stored as f64 * 8.0 / elements.max(1) as f64;
        Input { path: path.to_owned(), format, level, bits_per_weight, quantized }
    }

    /// Format and level as words: `gguf Q8_0`.
    pub fn words(&self) -> String {
        format!("{} {}", self.format, self.level).trim_end().to_owned()
    }
}
