//! The result object of the command line contract.

use super::loss::Loss;
use super::plan_report::PlannedTensor;
use super::validate::{TensorCheck, is_plain};
use crate::memory::Peaks;
use crate::model::torch_dtype;
use llmq_plugin_api::wire::{Fallback, ModelDescription, SeenByLaterLayers, StatisticsOrigin};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Result of one job. The first ten fields are the contract's; the others are additions.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// Always `success`: failures have an object of their own.
    pub status: &'static str,
    /// The file, or the first of several, or the folder.
    pub output_path: PathBuf,
    /// Format id.
    pub format: String,
    /// Level id.
    pub quantization_level: String,
    /// Bytes of all output files.
    pub file_size: u64,
    /// Output bytes per source byte.
    pub compression_ratio: f64,
    /// Seconds from opening the model to the final name, of this run alone.
    pub duration_seconds: f64,
    /// Largest resident memory of the process, mapped files included.
    pub peak_memory_bytes: u64,
    /// `valid`, or `unchecked` if the plugin cannot read its own format.
    pub validation_status: &'static str,
    /// About the source.
    pub metadata: Metadata,
    /// All output files.
    pub files: Vec<PathBuf>,
    /// Stored bits per weight over all tensors.
    pub bits_per_weight: f64,
    /// Memory in detail.
    pub memory: MemoryReport,
    /// Worker threads.
    pub threads: usize,
    /// Units of work.
    pub units: UnitCounts,
    /// Who did the work.
    pub plugin: PluginReport,
    /// What became of the source tensors.
    pub tensor_counts: TensorCounts,
    /// What was done in a simpler way than the level promises.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// Every source tensor with its encoding and error; empty if unchecked.
    pub tensors: Vec<TensorCheck>,
    /// Largest relative error among the tensors; absent if unchecked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_relative_error: Option<f64>,
    /// What all weights lost; absent unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// The backend's own figures by unit id.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub figures: Map<String, Value>,
    /// Where the statistics come from; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<StatisticsOrigin>,
    /// What the layers before were when a layer was calibrated; absent without statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_layers_see: Option<SeenByLaterLayers>,
    /// Everything odd, in the order it was noticed.
    pub warnings: Vec<String>,
}

/// About the source, by the contract.
#[derive(Debug, Clone, Serialize)]
pub struct Metadata {
    /// Dtype of most weights in PyTorch's spelling.
    pub original_dtype: String,
    /// Bytes of all source tensors.
    pub original_size: u64,
    /// Decoder layers.
    pub layers_processed: u32,
    /// Weights, a tied head counted once.
    pub parameter_count: u64,
    /// Class name of the model.
    pub architecture: String,
}

impl Metadata {
    /// From a description and the bytes of its tensors.
    pub fn new(model: &ModelDescription, original_size: u64) -> Metadata {
        Metadata {
            original_dtype: torch_dtype(&model.dtype),
            original_size,
            layers_processed: model.hyperparameters.layers,
            parameter_count: model.parameter_count(),
            architecture: model.architecture.clone(),
        }
    }
}

/// Memory in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryReport {
    /// Largest anonymous memory, sampled; what the job really needs.
    pub peak_anonymous_bytes: u64,
    /// Largest mapped part; the kernel drops it under pressure.
    pub peak_mapped_bytes: u64,
    /// Largest total, as the kernel counts it.
    pub peak_resident_bytes: u64,
}

impl From<Peaks> for MemoryReport {
    fn from(peaks: Peaks) -> MemoryReport {
        MemoryReport {
            peak_anonymous_bytes: peaks.anonymous,
            peak_mapped_bytes: peaks.mapped,
            peak_resident_bytes: peaks.resident,
        }
    }
}

/// Units of work.
#[derive(Debug, Clone, Serialize)]
pub struct UnitCounts {
    /// All.
    pub total: usize,
    /// Those that an earlier run had finished.
    pub resumed: usize,
}

/// Source tensors by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TensorCounts {
    /// In an encoding of the format.
    pub quantized: usize,
    /// As plain floating-point numbers.
    pub kept: usize,
    /// Of the quantized: done in a simpler way than the level promises.
    pub fallback: usize,
    /// Read back from the finished output, every weight as the plugin had computed it.
    pub as_computed: usize,
}

impl TensorCounts {
    /// Counts the tensors of a plan, each once, and what validation found of them.
    pub fn new(planned: &[PlannedTensor], checks: &[TensorCheck], fallback: usize) -> TensorCounts {
        let mut counts = TensorCounts { fallback, ..TensorCounts::default() };
        let mut quantized: BTreeMap<&str, bool> = BTreeMap::new();
        for (tensor, source) in planned.iter().flat_map(|tensor| tensor.sources.iter().map(move |s| (tensor, s))) {
            // Slots without weights of their own, such as scales, are companions.
            if tensor.shape.iter().product::<u64>() > 0 {
                *quantized.entry(source).or_default() |= !is_plain(&tensor.encoding);
            }
        }
        counts.quantized = quantized.values().filter(|quantized| **quantized).count();
        counts.kept = quantized.len() - counts.quantized;
        counts.as_computed = checks.iter().filter(|check| check.as_computed == Some(true)).count();
        counts
    }
}

/// The plugin.
#[derive(Debug, Clone, Serialize)]
pub struct PluginReport {
    /// Id.
    pub id: String,
    /// Version.
    pub version: String,
}
