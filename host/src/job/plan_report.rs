//! What a job would do, for `--dry-run`: exact sizes and places, needs, and everything in the way.

use super::preflight::Needs;
use crate::failure::Failure;
use llmq_plugin_api::wire::{ModelDescription, Plan, SeenByLaterLayers, StatisticsOrigin};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;

/// A planned job.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// Always `planned`.
    pub status: &'static str,
    /// The file, or the first of several, or the folder.
    pub output_path: PathBuf,
    /// Format id.
    pub format: String,
    /// Level id.
    pub quantization_level: String,
    /// Exact bytes of all output files.
    pub file_size: u64,
    /// Output bytes per source byte.
    pub compression_ratio: f64,
    /// Stored bits per weight over all tensors.
    pub bits_per_weight: f64,
    /// Every file with its exact length.
    pub files: Vec<PlannedFile>,
    /// Every tensor in the plan's order.
    pub tensors: Vec<PlannedTensor>,
    /// Source tensors that are not written, with the reason.
    pub dropped: Vec<(String, String)>,
    /// Disk and memory.
    pub needs: Needs,
    /// Sentences that would stop the job now.
    pub obstacles: Vec<String>,
    /// Sentences for the user.
    pub warnings: Vec<String>,
    /// Sentences for the curious.
    pub notes: Vec<String>,
    /// Where the statistics come from; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<StatisticsOrigin>,
    /// What the layers before are when a layer is calibrated; absent without statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_layers_see: Option<SeenByLaterLayers>,
}

/// One output file.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedFile {
    /// Final path.
    pub path: PathBuf,
    /// Exact length.
    pub bytes: u64,
}

/// One output tensor.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedTensor {
    /// Name in the output.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<u64>,
    /// Encoding as the format calls it.
    pub encoding: String,
    /// Stored bytes.
    pub bytes: u64,
    /// File number and first byte in it.
    pub place: (u32, u64),
    /// Unit during which it is written.
    pub unit: String,
    /// Hugging Face names of what it is made of.
    pub sources: Vec<String>,
    /// Whether measured importance decides how it is rounded.
    pub importance: bool,
    /// Why the encoding differs from the level's own, if it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Stored bits per weight over all slots of a plan.
pub fn bits_per_weight(plan: &Plan) -> f64 {
    let elements = |slot: &llmq_plugin_api::wire::Slot| slot.shape.iter().map(|n| *n as f64).product::<f64>();
    let weights: f64 = plan.slots.iter().map(elements).sum();
    let bytes: f64 = plan.slots.iter().map(|s| s.bytes as f64).sum();
    if weights > 0.0 { bytes * 8.0 / weights } else { 0.0 }
}

/// The tensors of a checked plan.
pub fn tensors(plan: &Plan, model: &ModelDescription) -> Vec<PlannedTensor> {
    let used: HashSet<u32> = plan.units.iter().flat_map(|unit| &unit.statistics).map(|need| need.tensor).collect();
    let one = |slot: &llmq_plugin_api::wire::Slot| PlannedTensor {
        name: slot.name.clone(),
        shape: slot.shape.clone(),
        encoding: slot.encoding.clone(),
        bytes: slot.bytes,
        place: (slot.file, slot.offset),
        unit: model.units[slot.unit as usize].id.clone(),
        sources: slot.sources.iter().map(|s| model.tensors[*s as usize].name.clone()).collect(),
        importance: !slot.sources.is_empty() && slot.sources.iter().all(|source| used.contains(source)),
        note: slot.note.clone(),
    };
    plan.slots.iter().map(one).collect()
}

/// Obstacles as sentences.
pub fn sentences(obstacles: &[Failure]) -> Vec<String> {
    obstacles.iter().map(|f| f.message.clone()).collect()
}
