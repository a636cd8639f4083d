//! A model in the host's words: hyperparameters, units and tensors with their roles.

use super::{Role, SmoothingGroup};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything about a model but its numbers. Names are Hugging Face names, shapes are row-major `[rows, columns]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelDescription {
    /// The model's own name: last component of its folder or Hub id, for example `TinyLlama-1.1B-Chat-v1.0`.
    pub name: String,
    /// Class name in `architectures`, for example `LlamaForCausalLM`.
    pub architecture: String,
    /// Id of the host's family description that matched, for example `llama`.
    pub family: String,
    /// `config.json` as it was read, both transformers spellings possible. Prefer [`Self::hyperparameters`].
    pub config: Value,
    /// `generation_config.json` as it was read, or null.
    #[serde(default)]
    pub generation_config: Value,
    /// What config.json means once class defaults and spellings are resolved.
    pub hyperparameters: Hyperparameters,
    /// Dtype of most weights, in safetensors' spelling (`BF16`).
    pub dtype: String,
    /// What is quantized and checkpointed as one step, in model order.
    pub units: Vec<UnitDescription>,
    /// Every tensor of the model. The position in this list is the tensor's index everywhere in the interface.
    pub tensors: Vec<TensorDescription>,
    /// Side files that [`crate::sdk::Model::file`] can read, for example `tokenizer.json`.
    #[serde(default)]
    pub files: Vec<String>,
    /// Channels that may be scaled without changing what the model computes, in model order. Since 1.2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub smoothing: Vec<SmoothingGroup>,
    /// Format id, if the model comes in that format and its tensors carry the format's own names, shapes and encodings
    /// ([`crate::wire::StoredView`]). Only backends of the format ever see such a description. There is no family, tensors
    /// have no roles, [`TensorDescription::dtype`] is the format's encoding, and of the hyperparameters only the number
    /// of layers is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<String>,
}

impl ModelDescription {
    /// Number of weights, counting a tied head once.
    pub fn parameter_count(&self) -> u64 {
        self.tensors.iter().map(TensorDescription::elements).fold(0, u64::saturating_add)
    }

    /// The tensor of a given name with its index.
    pub fn tensor(&self, name: &str) -> Option<(usize, &TensorDescription)> {
        self.tensors.iter().enumerate().find(|(_, t)| t.name == name)
    }
}

/// Numbers that shape the network, with class defaults already applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Decoder layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden_size: u32,
    /// Inner width of the dense feed-forward block.
    pub intermediate_size: u32,
    /// Rows of the embedding table.
    pub vocab_size: u32,
    /// Longest context the model was built for, in tokens.
    pub context_length: u32,
    /// Attention geometry.
    pub attention: Attention,
    /// Rotary embedding, absent for learned or no positions.
    #[serde(default)]
    pub rope: Option<Rope>,
    /// Rotary embedding of the layers with a sliding window, if it differs from that of the others.
    #[serde(default)]
    pub sliding_rope: Option<Rope>,
    /// Epsilon of the norms.
    pub norm_eps: f64,
    /// `rms` or `layer`.
    pub norm: String,
    /// Activation as config.json names it, for example `silu`.
    pub activation: String,
    /// Whether the output head shares the embedding table.
    pub tied_embeddings: bool,
    /// Mixture of experts, if any.
    #[serde(default)]
    pub experts: Option<Experts>,
}

/// Attention geometry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attention {
    /// Query heads.
    pub heads: u32,
    /// Key-value heads.
    pub kv_heads: u32,
    /// Width of one head.
    pub head_dim: u32,
    /// Whether config.json states the head width rather than implying it.
    pub head_dim_stated: bool,
    /// Window of sliding attention in tokens, if it is in use.
    #[serde(default)]
    pub sliding_window: Option<u32>,
    /// The window of every layer, `None` for full attention. Empty from hosts that do not say it by layer.
    #[serde(default)]
    pub windows: Vec<Option<u32>>,
}

/// Rotary position embedding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Rotated dimensions of each head.
    pub dimensions: u32,
    /// `half` (rotate halves, as Hugging Face stores Llama) or `interleaved` (rotate neighbours).
    pub layout: String,
    /// Context extension, if any.
    #[serde(default)]
    pub scaling: Option<RopeScaling>,
}

/// Context extension by frequency scaling. Fields that a kind does not use are absent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RopeScaling {
    /// `linear`, `dynamic`, `yarn`, `longrope`, `llama3`, ...
    pub kind: String,
    /// Extension factor.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Context of the unextended model.
    #[serde(default)]
    pub original_context_length: Option<u32>,
    /// llama3: wavelengths above `original / low` are stretched by the whole factor.
    #[serde(default)]
    pub low_freq_factor: Option<f64>,
    /// llama3: wavelengths below `original / high` are kept.
    #[serde(default)]
    pub high_freq_factor: Option<f64>,
    /// yarn: attention temperature.
    #[serde(default)]
    pub attention_factor: Option<f64>,
    /// yarn: fast boundary.
    #[serde(default)]
    pub beta_fast: Option<f64>,
    /// yarn: slow boundary.
    #[serde(default)]
    pub beta_slow: Option<f64>,
    /// longrope: one factor per frequency for short contexts.
    #[serde(default)]
    pub short_factor: Vec<f64>,
    /// longrope: one factor per frequency for long contexts.
    #[serde(default)]
    pub long_factor: Vec<f64>,
}

/// Mixture of experts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Experts {
    /// Routed experts per layer.
    pub count: u32,
    /// Experts used per token.
    pub used: u32,
    /// Inner width of one expert.
    pub intermediate_size: u32,
    /// Shared experts per layer.
    #[serde(default)]
    pub shared: u32,
}

/// What kind of step a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// Everything in front of the first layer.
    Embeddings,
    /// One decoder layer.
    Layer,
    /// Everything behind the last layer.
    Head,
    /// Anything else (vision towers, prediction layers), grouped by the host.
    #[serde(other)]
    Other,
}

/// One step of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitDescription {
    /// Stable name: `embeddings`, `layer.0`, `head`.
    pub id: String,
    /// What kind of step it is.
    pub kind: UnitKind,
    /// Layer number of [`UnitKind::Layer`].
    #[serde(default)]
    pub layer: Option<u32>,
}

/// One tensor of the source model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TensorDescription {
    /// Hugging Face name, for example `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What follows the operation's name: `weight`, `bias`, or empty for bare parameters.
    pub part: String,
    /// Index into [`ModelDescription::units`].
    pub unit: u32,
    /// Layer number, if it belongs to one.
    #[serde(default)]
    pub layer: Option<u32>,
    /// Expert number, if it is one expert's own tensor.
    #[serde(default)]
    pub expert: Option<u32>,
    /// Head number, if it is one head's own tensor.
    #[serde(default)]
    pub head: Option<u32>,
    /// Stored dtype in safetensors' spelling: `F32`, `F16`, `BF16`, ...
    pub dtype: String,
    /// Row-major shape; a matrix is `[rows (outputs), columns (inputs)]`.
    pub shape: Vec<u64>,
}

impl TensorDescription {
    /// Product of the shape; 1 for a scalar.
    pub fn elements(&self) -> u64 {
        self.shape.iter().copied().fold(1, u64::saturating_mul)
    }

    /// Length of one row: the last dimension.
    pub fn columns(&self) -> u64 {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the last.
    pub fn rows(&self) -> u64 {
        self.shape.iter().rev().skip(1).copied().fold(1, u64::saturating_mul)
    }
}
