//! What a family computes beyond what its tensors say: the `[forward]` table of a description.

use super::factor::Factor;
use serde::Deserialize;

/// How the blocks of a layer stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocks {
    /// One after the other.
    Sequential,
    /// Side by side.
    Parallel,
    /// Side by side if this key of config.json is true.
    ParallelIf(String),
}

/// Which layers rotate queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotates {
    /// All.
    #[default]
    All,
    /// Those with a window.
    Windowed,
    /// Those with a window, or all if no layer has one.
    WindowedIfAny,
    /// Those that `no_rope_layers` marks with 1, or all but every `no_rope_layer_interval`-th.
    Marked,
}

/// Order of queries, keys and values in a matrix that gives them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkvOrder {
    /// All queries, all keys, all values.
    #[default]
    Stacked,
    /// For every key-value head its queries, its key, its value.
    ByGroup,
}

/// Order of gate and up outputs in a matrix that gives both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateUpOrder {
    /// The gate first.
    #[default]
    Halves,
    /// In turns.
    Alternating,
}

/// Linear layers whose matrices have inputs as rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputRows {
    /// None.
    #[default]
    Never,
    /// Those of the experts.
    Experts,
    /// All but the output head.
    Layers,
}

/// From router logits to scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterScore {
    /// exp over the sum of all.
    Softmax,
    /// Each by itself.
    Sigmoid,
}

/// How experts are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterRules {
    /// From logits to scores.
    pub score: RouterScore,
    /// `yes`, `no`, or the key of config.json that says whether weights are made to sum to one.
    pub normalise: String,
    /// Key of what weights are multiplied by.
    pub scale: Option<String>,
    /// Experts that a group is judged by, in families whose experts stand in groups (`n_group`, `topk_group`).
    pub group_judged_by: Option<u32>,
    /// A word of `topk_method` for which groups count, where it decides.
    pub grouped_method: Option<String>,
}

/// What a family computes.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardRules {
    /// How blocks stand to each other.
    pub blocks: Blocks,
    /// Added to factors of norms, which are stored around 0 where it is 1.
    pub norm_offset: f32,
    /// What embeddings are multiplied by.
    pub embedding_scale: Option<Factor>,
    /// What attention scores are multiplied by; 1 / sqrt(head_dim) if not stated.
    pub attention_scale: Option<Factor>,
    /// What a block's result is multiplied by.
    pub residual_scale: Option<Factor>,
    /// What logits are multiplied by.
    pub logit_scale: Option<Factor>,
    /// Key of the bound of attention scores.
    pub attention_cap: Option<String>,
    /// Key of the bound of logits.
    pub logit_cap: Option<String>,
    /// Key of the largest magnitude of queries, keys and values.
    pub qkv_clamp: Option<String>,
    /// Order in a joint matrix.
    pub qkv: QkvOrder,
    /// Order in a joint matrix.
    pub gate_up: GateUpOrder,
    /// Matrices stored with inputs as rows.
    pub input_rows: InputRows,
    /// Whether the product is gpt-oss's, with its clamps.
    pub clamped_swish: bool,
    /// Layers that rotate.
    pub rotates: Rotates,
    /// The router's rules, in families with experts.
    pub router: Option<RouterRules>,
    /// Values of config.json for which all this does not hold.
    pub unless: toml::Table,
}

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ForwardEntry {
    blocks: Option<String>,
    norm_offset: f32,
    embedding_scale: Option<String>,
    attention_scale: Option<String>,
    residual_scale: Option<String>,
    logit_scale: Option<String>,
    attention_cap: Option<String>,
    logit_cap: Option<String>,
    qkv_clamp: Option<String>,
    qkv: QkvOrder,
    gate_up: GateUpOrder,
    input_rows: InputRows,
    clamped_swish: bool,
    rotates: Rotates,
    router: Option<RouterRules>,
    unless: toml::Table,
}

impl ForwardEntry {
    pub(super) fn read(self) -> Result<ForwardRules, String> {
        let blocks = match self.blocks.as_deref() {
            None | Some("sequential") => Blocks::Sequential,
            Some("parallel") => Blocks::Parallel,
            Some(word) => match word.strip_prefix("parallel if ") {
                Some(key) if !key.is_empty() => Blocks::ParallelIf(key.to_owned()),
                _ => return Err(format!("`{word}` is not sequential, parallel, or parallel if KEY")),
            },
        };
        let factor = |text: Option<String>| text.as_deref().map(Factor::parse).transpose();
        Ok(ForwardRules {
            blocks,
            norm_offset: self.norm_offset,
            embedding_scale: factor(self.embedding_scale)?,
            attention_scale: factor(self.attention_scale)?,
            residual_scale: factor(self.residual_scale)?,
            logit_scale: factor(self.logit_scale)?,
            attention_cap: self.attention_cap,
            logit_cap: self.logit_cap,
            qkv_clamp: self.qkv_clamp,
            qkv: self.qkv,
            gate_up: self.gate_up,
            input_rows: self.input_rows,
            clamped_swish: self.clamped_swish,
            rotates: self.rotates,
            router: self.router,
            unless: self.unless,
        })
    }
}
