//! What a reader found in files of its format, in Hugging Face words.

use super::UnitKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A read model: config and tensor list as the Hugging Face folder would have them, plus the format's own view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReaderSummary {
    /// Format id.
    pub format: String,
    /// Level id if the file states or implies one.
    #[serde(default)]
    pub level: String,
    /// Name of the model as stored, possibly empty.
    #[serde(default)]
    pub name: String,
    /// `config.json` rebuilt; null if the format does not carry enough (then [`Self::warnings`] says what is missing).
    #[serde(default)]
    pub config: Value,
    /// The format's own metadata for `info`; long arrays shortened by the backend.
    #[serde(default)]
    pub metadata: Value,
    /// Tensors in file order. The position is the index that [`crate::sdk::Reader::decode_rows`] takes.
    pub tensors: Vec<StoredTensor>,
    /// Side files that [`crate::sdk::Reader::sidecar`] can rebuild, for example `tokenizer.json`.
    #[serde(default)]
    pub sidecars: Vec<String>,
    /// Sentences for the user.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One stored tensor. A format that stacks or splits source tensors lists the source tensors, each with its own rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredTensor {
    /// Hugging Face name; empty if the tensor has no counterpart there (derived data).
    pub name: String,
    /// Name in the file.
    pub stored_name: String,
    /// Row-major shape in weights, as Hugging Face has it.
    pub shape: Vec<u64>,
    /// Encoding as the format calls it.
    pub encoding: String,
    /// Stored bytes.
    pub bytes: u64,
    /// Where it sits in the model, if the reader knows.
    #[serde(default)]
    pub unit: Option<UnitKind>,
}

impl StoredTensor {
    /// Product of the shape; 1 for a scalar.
    pub fn elements(&self) -> u64 {
        self.shape.iter().copied().fold(1, u64::saturating_mul)
    }
}
