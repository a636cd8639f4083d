//! What the host asks a backend to plan.

use super::{SeenByLaterLayers, StatisticsOrigin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One validated job: the level exists, options fit their declarations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Format id.
    pub format: String,
    /// Level id in the descriptor's own spelling.
    pub level: String,
    /// Name of the output without its ending; file names in the plan are built from it.
    pub stem: String,
    /// Options in the descriptor's own names, defaults filled in.
    #[serde(default)]
    pub options: Map<String, Value>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Statistics that will be there, by tensor.
    #[serde(default)]
    pub statistics: Vec<StatisticsOffer>,
    /// Encodings fixed by the user or by an allocator, by tensor name; they beat the level's own choice.
    #[serde(default)]
    pub encodings: Map<String, Value>,
    /// Who writes the file, for formats that record it, for example `llm-quantize 0.1.0`.
    #[serde(default)]
    pub creator: String,
    /// Where the statistics come from; absent without statistics. Since 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics_origin: Option<StatisticsOrigin>,
    /// What the layers before were when these statistics were, or will be, gathered; for formats that record it. Since 1.2.
    #[serde(default, skip_serializing_if = "SeenByLaterLayers::is_original")]
    pub later_layers_see: SeenByLaterLayers,
}

/// Statistics available for one tensor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StatisticsOffer {
    /// Tensor index.
    pub tensor: u32,
    /// Words of [`crate::sdk::StatisticKind`].
    pub kinds: Vec<String>,
    /// Expert, where the tensor holds several. Since 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<u32>,
    /// Whether no token went in, as happens to experts: values will come, with a count of zero. Since 1.1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}
