//! What `evaluate` and `analyze` found, as one document each, and that document as JSON, Markdown and HTML.
//!
//! The structs are the JSON: keys stand in the order of their fields, absent ones are left out, shares and probabilities
//! run from 0 to 1. Nothing in a report depends on paths or clocks beyond what the caller puts in.

mod analysis;
mod evaluation;
mod numbers;
mod page;
mod plot;
mod provenance;
mod table;

pub use analysis::AnalysisReport;
pub use evaluation::{EvaluationReport, LayerQuality, SavedFile, TensorQuality};

use serde::{Deserialize, Serialize};

/// A model, as far as a report names it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Name or file name.
    pub name: String,
    /// Format (`gguf`, `safetensors`), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Level (`Q4_K_M`) or type of the weights (`bf16`), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Fingerprint of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// Bytes of its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bits per weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_weight: Option<f64>,
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TextIdentity {
    /// Name or file name.
    pub name: String,
    /// Digest of its bytes.
    pub digest: String,
    /// Tokens used.
    pub tokens: u64,
    /// Tokens at the end that filled no chunk.
    pub dropped: u64,
}

/// How long one step took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// What was done.
    pub step: String,
    /// Seconds.
    pub seconds: f64,
}

/// A document, in every form that it has.
pub trait Document: Serialize {
    /// As JSON with a line break at its end, the form that programs read.
    ///
    /// # Errors
    /// Only if memory for the text is lacking.
    fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// As Markdown, for issues and model cards.
    fn to_markdown(&self) -> String;

    /// As one HTML page that needs nothing else.
    fn to_html(&self) -> String;
}
