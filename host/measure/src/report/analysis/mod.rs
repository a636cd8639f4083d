//! The document of `analyze`.

mod drawings;
mod html;
mod markdown;
mod tables;

use super::{Document, ModelIdentity, TextIdentity, Timing};
use crate::findings::{
    ChannelOutliers, DownProjection, ExpertCoverage, LayerImportance, SuperWeight, TensorFigures, layer_importance,
};
use serde::{Deserialize, Serialize};

/// What a calibration text shows about a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisReport {
    /// Version of this document's form.
    pub version: u32,
    /// Program and version that made it.
    pub tool: String,
    /// The model.
    pub model: ModelIdentity,
    /// The text.
    pub text: TextIdentity,
    /// Samples of the text.
    pub samples: usize,
    /// Tokens per sample.
    pub sample_tokens: usize,
    /// Importance of the layers, in order.
    pub layers: Vec<LayerImportance>,
    /// Super weights that were found.
    pub super_weights: Vec<SuperWeight>,
    /// How often they were looked for: once in the model as it is, then with those that were found set to zero.
    #[serde(default)]
    pub super_weight_rounds: u32,
    /// The peaks that they were looked for in, in the model as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down_projections: Vec<DownProjection>,
    /// Outlier channels of the linears that were looked at, also of those that have none.
    pub outliers: Vec<ChannelOutliers>,
    /// Coverage of the experts, by layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub experts: Vec<ExpertCoverage>,
    /// Figures of all tensors.
    pub tensors: Vec<TensorFigures>,
    /// How long the steps took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
    /// Most memory in use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl AnalysisReport {
    /// Version of the form.
    pub const VERSION: u32 = 1;

    /// Of a model on a text, with the figures of its tensors; the layers' importance follows from them. What else was found
    /// is set in the fields.
    pub fn new(
        tool: &str,
        model: ModelIdentity,
        text: TextIdentity,
        samples: usize,
        sample_tokens: usize,
        tensors: Vec<TensorFigures>,
    ) -> Self {
        Self {
            version: Self::VERSION,
            tool: tool.to_owned(),
            model,
            text,
            samples,
            sample_tokens,
            layers: layer_importance(&tensors),
            super_weights: Vec::new(),
            super_weight_rounds: 0,
            down_projections: Vec::new(),
            outliers: Vec::new(),
            experts: Vec::new(),
            tensors,
            timings: Vec::new(),
            peak_memory_bytes: None,
            warnings: Vec::new(),
        }
    }
}

impl Document for AnalysisReport {
    fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    fn to_html(&self) -> String {
        html::render(self)
    }
}
