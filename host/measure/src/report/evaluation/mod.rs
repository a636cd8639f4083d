//! The document of `evaluate`.

mod html;
mod markdown;
mod tables;

use super::{Document, ModelIdentity, TextIdentity, Timing};
use crate::{Comparison, ComparisonSummary, Counting, Score};
use serde::{Deserialize, Serialize};

/// How good a model is on a text, alone or against the original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Version of this document's form.
    pub version: u32,
    /// Program and version that made it.
    pub tool: String,
    /// The model that was evaluated.
    pub model: ModelIdentity,
    /// The original it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<ModelIdentity>,
    /// The text.
    pub text: TextIdentity,
    /// The text the model was calibrated on, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_text: Option<TextIdentity>,
    /// Which positions of a chunk count.
    pub score: Counting,
    /// Tokens per chunk.
    pub context: usize,
    /// Chunks.
    pub chunks: usize,
    /// Scored positions.
    pub positions: usize,
    /// Perplexity of the model.
    pub perplexity: f64,
    /// Its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity_error: Option<f64>,
    /// Perplexity of the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity_original: Option<f64>,
    /// Mean divergence from the original, in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_kld: Option<f64>,
    /// Share of positions where both expect the same token most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_agreement: Option<f64>,
    /// Everything about the comparison, with errors and quantiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonSummary>,
    /// The file that the model's log-probabilities were written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_probabilities: Option<SavedFile>,
    /// What each layer adds to the error by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerQuality>,
    /// The model's tensors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tensors: Vec<TensorQuality>,
    /// How long the steps took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
    /// Most memory in use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

/// A file that was written beside the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Path as it was typed.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// One layer of the evaluated model, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerQuality {
    /// Which, from 0 on.
    pub layer: usize,
    /// Squared difference between what leaves it and what leaves the original's layer, both handed the original's hidden states,
    /// over the square of what the original's layer adds to them.
    pub relative_error: f64,
}

/// One tensor of the evaluated model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorQuality {
    /// Name.
    pub name: String,
    /// Encoding.
    pub encoding: String,
    /// Bits per weight.
    pub bits_per_weight: f64,
    /// Error weighted by importance, relative to the weighted tensor itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_error: Option<f64>,
    /// Predicted share of the whole damage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage_share: Option<f64>,
}

impl EvaluationReport {
    /// Version of the form.
    pub const VERSION: u32 = 1;

    /// Of a model scored alone; `None` when nothing was scored. What is not an argument can be set in the fields.
    pub fn alone(
        tool: &str,
        model: ModelIdentity,
        text: TextIdentity,
        counting: Counting,
        context: usize,
        chunks: usize,
        score: &Score,
    ) -> Option<Self> {
        let perplexity = score.perplexity()?;
        Some(Self {
            version: Self::VERSION,
            tool: tool.to_owned(),
            model,
            original: None,
            text,
            calibration_text: None,
            score: counting,
            context,
            chunks,
            positions: score.positions(),
            perplexity: perplexity.value,
            perplexity_error: perplexity.error,
            perplexity_original: None,
            mean_kld: None,
            top1_agreement: None,
            comparison: None,
            log_probabilities: None,
            layers: Vec::new(),
            tensors: Vec::new(),
            timings: Vec::new(),
            peak_memory_bytes: None,
            warnings: Vec::new(),
        })
    }

    /// Of a model compared with its original; `None` when nothing was compared.
    #[allow(clippy::too_many_arguments, reason = "each is a fact of its own")]
    pub fn against(
        tool: &str,
        model: ModelIdentity,
        original: ModelIdentity,
        text: TextIdentity,
        counting: Counting,
        context: usize,
        chunks: usize,
        comparison: &Comparison,
    ) -> Option<Self> {
        let summary = comparison.summary()?;
        Some(Self {
            version: Self::VERSION,
            tool: tool.to_owned(),
            model,
            original: Some(original),
            text,
            calibration_text: None,
            score: counting,
            context,
            chunks,
            positions: summary.positions,
            perplexity: summary.perplexity.value,
            perplexity_error: summary.perplexity.error,
            perplexity_original: Some(summary.perplexity_base.value),
            mean_kld: Some(summary.mean_kld.value),
            top1_agreement: Some(summary.top1_agreement.value),
            comparison: Some(summary),
            log_probabilities: None,
            layers: Vec::new(),
            tensors: Vec::new(),
            timings: Vec::new(),
            peak_memory_bytes: None,
            warnings: Vec::new(),
        })
    }

    /// Notes the text that the model was calibrated on, with a warning if it is the text of this evaluation.
    pub fn calibrated_on(&mut self, text: TextIdentity) {
        if text.digest == self.text.digest {
            self.warnings.push(
                "The model was calibrated on the text of this evaluation, so it looks better here than it is; evaluate \
                 it on another text."
                    .to_owned(),
            );
        }
        self.calibration_text = Some(text);
    }
}

impl Document for EvaluationReport {
    fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    fn to_html(&self) -> String {
        html::render(self)
    }
}
