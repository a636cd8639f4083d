//! What a reader found in files of its format, in Hugging Face words.

use super::UnitKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A read model: config and tensor list as the Hugging Face folder would have them, plus the format's own view.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    /// The same model without translation, for a backend that can turn its own format into itself. Absent if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredView>,
}

/// A model exactly as its files have it, so that whatever a translation to Hugging Face's words would lose (unknown
/// families, metadata, order) survives from a format to itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StoredView {
    /// Architecture in the format's own word.
    pub architecture: String,
    /// Decoder layers, 0 if the files do not tell.
    #[serde(default)]
    pub layers: u32,
    /// Tensors as they are stored. Tensor `i` is number `ReaderSummary::tensors.len() + i` for
    /// [`crate::sdk::Reader::decode_rows`].
    pub tensors: Vec<PlacedTensor>,
    /// Side file with everything else that the files hold, in a form that this backend's sessions understand. It is one of
    /// [`super::ModelDescription::files`] then.
    pub rest: String,
}

/// One tensor with its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlacedTensor {
    /// Name in the file.
    pub name: String,
    /// Row-major shape in weights.
    pub shape: Vec<u64>,
    /// Encoding as the format calls it; `F32`, `F16` and `BF16` mean plain numbers.
    pub encoding: String,
    /// Which of the files holds it, by the order in which they were given.
    pub file: u32,
    /// First byte in that file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Layer, if it belongs to one.
    #[serde(default)]
    pub layer: Option<u32>,
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
