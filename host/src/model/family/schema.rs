//! The vocabulary of family descriptions, and their reading from TOML.

use super::forward::{ForwardEntry, ForwardRules};
use super::stacked::{StackedEntry, StackedTensor};
use super::{NamePattern, Renaming, ShapeExpression};
use llmq_plugin_api::wire::{Role, UnitKind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Names that shape expressions may use.
pub(super) const SHAPE_NAMES: &[&str] =
    &["vocab", "hidden", "intermediate", "heads", "kv_heads", "head_dim", "context", "experts", "expert_intermediate"];

/// In front of names of shape expressions that are whole numbers of config.json, as in `config.kv_lora_rank`.
pub(super) const CONFIG_NAME: &str = "config.";

/// What arrives at the input of a linear layer. Linears of one layer with the same feed share their statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// Output of the norm in front of attention.
    AttnNorm,
    /// Concatenated results of the attention heads.
    Attention,
    /// Output of the norm in front of the feed-forward block.
    FfnNorm,
    /// Activated gate times up.
    FfnProduct,
    /// Activated gate times up of the shared expert, which sees every token.
    SharedFfnProduct,
    /// Output of the norm between two low-rank query projections.
    AttnQANorm,
    /// Output of the norm between two low-rank key-value projections.
    AttnKvANorm,
    /// Output of the last norm.
    OutputNorm,
    /// Output of the norm behind the attention heads.
    AttnSubNorm,
    /// Output of the norm behind the activated product.
    FfnSubNorm,
}

/// Which layers use a sliding attention window, where config.json gives no `layer_types`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlidingRule {
    /// None: the family has no window.
    #[default]
    Never,
    /// Every layer, if `sliding_window` is set.
    EveryLayer,
    /// Layers from `max_window_layers` on, if `use_sliding_window` is set.
    UpperLayers,
    /// All but every n-th layer, n being `sliding_window_pattern`, if `sliding_window` is set.
    AllButEvery,
    /// Layers 0, 2, 4, ..., if `sliding_window` is set.
    EvenLayers,
}

/// Layers in which a kind of tensor occurs, in families where some layers have experts and others a dense block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// All.
    #[default]
    All,
    /// Those with a dense feed-forward block.
    Dense,
    /// Those with experts.
    Sparse,
}

/// What decides whether a kind of tensor is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A boolean key of config.json is true.
    Switch(String),
    /// A number of config.json (or its class default) is there and not null.
    Has(String),
    /// It is null, or nowhere.
    Lacks(String),
}

impl Condition {
    /// Parses `key`, `has key` or `lacks key`.
    fn parse(text: &str) -> Condition {
        match text.split_once(' ') {
            Some(("has", key)) => Condition::Has(key.to_owned()),
            Some(("lacks", key)) => Condition::Lacks(key.to_owned()),
            _ => Condition::Switch(text.to_owned()),
        }
    }

    /// Why a tensor is unexpected where the condition does not hold.
    pub(super) fn refusal(&self) -> String {
        match self {
            Condition::Switch(key) => format!("`{key}` is false there"),
            Condition::Has(key) => format!("`{key}` is null there"),
            Condition::Lacks(key) => format!("`{key}` is stated there"),
        }
    }
}

/// Layers behind the last decoder layer that predict further tokens and take no part in ordinary inference.
#[derive(Debug, Clone)]
pub struct PredictionLayers {
    /// Name of such a layer: all tensors whose names begin with it belong to it.
    pub prefix: NamePattern,
    /// Key of config.json that says how many there are.
    pub count: String,
    /// Why nothing is lost, for the notes to the user.
    pub reason: String,
}

/// One kind of tensor.
#[derive(Debug, Clone)]
pub struct TensorTemplate {
    /// Full name, with the part.
    pub pattern: NamePattern,
    /// What it is.
    pub role: Role,
    /// `weight`, `bias`, or empty.
    pub part: String,
    /// Kind of the unit that it belongs to.
    pub unit: UnitKind,
    /// What feeds it, if it is the matrix of a linear layer.
    pub feed: Option<Feed>,
    /// Shape by the hyperparameters.
    pub shape: Vec<ShapeExpression>,
    /// What says whether it is there; always there if `None`.
    pub when: Option<Condition>,
    /// Layers that have it.
    pub layers: LayerKind,
    /// Whether it may be absent because the token embedding serves in its place.
    pub tied: bool,
}

/// A tensor that models carry and outputs do not.
#[derive(Debug, Clone)]
pub struct IgnoredTensor {
    /// Full name.
    pub pattern: NamePattern,
    /// Why nothing is lost, for the notes to the user.
    pub reason: String,
}

/// One family.
#[derive(Debug, Clone)]
pub struct Family {
    /// Short name, for example `llama`.
    pub id: String,
    /// The built-in family that backends take the models for, in descriptions by users.
    pub like: Option<String>,
    /// Class names in `architectures`, the usual one first.
    pub classes: Vec<String>,
    /// `model_type` words, for configs without `architectures`.
    pub model_types: Vec<String>,
    /// `rms` or `layer`.
    pub norm: String,
    /// `half`, `interleaved` or `none`.
    pub rope_layout: String,
    /// Sliding attention.
    pub sliding: SlidingRule,
    /// Inner width of the feed-forward block in hidden widths, where config.json does not state it.
    pub inner_factor: Option<u32>,
    /// Every kind of tensor, in the order in which they take part.
    pub templates: Vec<TensorTemplate>,
    /// Tensors that hold several of the templates' tensors.
    pub stacked: Vec<StackedTensor>,
    /// Tensors left behind.
    pub ignored: Vec<IgnoredTensor>,
    /// Layers left behind.
    pub prediction_layers: Option<PredictionLayers>,
    /// Key of config.json that counts the leading layers without experts.
    pub leading_dense: Option<String>,
    /// Values of config.json keys that transformers' class assumes where the file is silent.
    pub defaults: toml::Table,
    /// This family's words for keys that others call differently, for example `hidden_size = "n_embd"`.
    pub keys: BTreeMap<String, String>,
    /// Values of config.json that set this family apart from another one with the same class.
    pub requires: toml::Table,
    /// Other beginnings of its tensors' names.
    pub renamings: Vec<Renaming>,
    /// Whether layers with a sliding window keep the unextended rotation where the others extend theirs.
    pub sliding_rope_unscaled: bool,
    /// What it computes; `None` for families that no forward pass is described for.
    pub forward: Option<ForwardRules>,
}

impl Family {
    /// Reads a description. Errors name the entry; unknown keys are errors, so that a typing mistake cannot pass.
    pub fn from_toml(text: &str) -> Result<Family, String> {
        let file: FamilyFile = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut templates = Vec::new();
        for entry in file.tensors {
            entry.expand(&mut templates)?;
        }
        let ignored = file
            .ignored
            .into_iter()
            .map(|entry| Ok(IgnoredTensor { pattern: NamePattern::parse(&entry.name)?, reason: entry.reason }));
        Ok(Family {
            id: file.id,
            like: file.like,
            classes: file.classes,
            model_types: file.model_types,
            norm: file.norm,
            rope_layout: file.rope_layout,
            sliding: file.sliding,
            inner_factor: file.inner_factor,
            templates,
            ignored: ignored.collect::<Result<_, String>>()?,
            stacked: file.stacked.into_iter().map(StackedEntry::read).collect::<Result<_, _>>()?,
            prediction_layers: file.prediction_layers.map(PredictionEntry::read).transpose()?,
            leading_dense: file.leading_dense,
            defaults: file.defaults,
            keys: file.keys,
            requires: file.requires,
            renamings: file.renamings,
            sliding_rope_unscaled: file.sliding_rope_unscaled,
            forward: file.forward.map(ForwardEntry::read).transpose()?,
        })
    }

    /// Whether there are experts beside or instead of the dense feed-forward block.
    pub fn has_experts(&self) -> bool {
        self.templates.iter().any(|t| t.role == Role::Router)
    }

    /// What feeds the linear layers of a role.
    pub fn feed(&self, role: &Role) -> Option<Feed> {
        self.templates.iter().find(|t| &t.role == role).and_then(|t| t.feed)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyFile {
    id: String,
    like: Option<String>,
    classes: Vec<String>,
    model_types: Vec<String>,
    norm: String,
    rope_layout: String,
    #[serde(default)]
    sliding: SlidingRule,
    inner_factor: Option<u32>,
    leading_dense: Option<String>,
    prediction_layers: Option<PredictionEntry>,
    tensors: Vec<TensorEntry>,
    #[serde(default)]
    stacked: Vec<StackedEntry>,
    #[serde(default)]
    ignored: Vec<IgnoredEntry>,
    #[serde(default)]
    defaults: toml::Table,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(default)]
    requires: toml::Table,
    #[serde(default)]
    renamings: Vec<Renaming>,
    #[serde(default)]
    sliding_rope_unscaled: bool,
    forward: Option<ForwardEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoredEntry {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PredictionEntry {
    prefix: String,
    count: String,
    reason: String,
}

impl PredictionEntry {
    fn read(self) -> Result<PredictionLayers, String> {
        let prefix = NamePattern::parse(&self.prefix)?;
        if !prefix.has_layer() {
            return Err(format!("the prefix `{}` of prediction layers has no `{{layer}}`", self.prefix));
        }
        Ok(PredictionLayers { prefix, count: self.count, reason: self.reason })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorEntry {
    name: String,
    role: String,
    /// Only for tensors outside the layers.
    unit: Option<UnitKind>,
    input: Option<Feed>,
    weight: Option<PartEntry>,
    bias: Option<PartEntry>,
    bare: Option<PartEntry>,
    #[serde(default)]
    tied: bool,
    #[serde(default)]
    layers: LayerKind,
}

/// Either just a shape, or a shape with more to say about it.
#[derive(Deserialize)]
#[serde(untagged)]
enum PartEntry {
    Shape(Vec<String>),
    Detailed(DetailedPart),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetailedPart {
    shape: Vec<String>,
    when: Option<String>,
    /// The part that a bare tensor plays although its name does not say so.
    part: Option<String>,
}

impl TensorEntry {
    fn expand(self, templates: &mut Vec<TensorTemplate>) -> Result<(), String> {
        let role = Role::from_word(&self.role);
        if matches!(role, Role::Other(_)) {
            return Err(format!("`{}` has the unknown role `{}`", self.name, self.role));
        }
        if role.is_linear() && self.input.is_none() {
            return Err(format!("`{}` is a linear layer, but does not say what feeds it (input)", self.name));
        }
        let parts = [("weight", self.weight), ("bias", self.bias), ("", self.bare)];
        if parts.iter().all(|(_, part)| part.is_none()) {
            return Err(format!("`{}` has no part (weight, bias or bare)", self.name));
        }
        for (suffix, part) in parts {
            let Some(part) = part else { continue };
            let DetailedPart { shape, when, part } = match part {
                PartEntry::Shape(shape) => DetailedPart { shape, when: None, part: None },
                PartEntry::Detailed(part) => part,
            };
            if part.is_some() && !suffix.is_empty() {
                return Err(format!("`{}` states a part that its name already has", self.name));
            }
            let part = part.unwrap_or_else(|| suffix.to_owned());
            let name = if suffix.is_empty() { self.name.clone() } else { format!("{}.{suffix}", self.name) };
            let pattern = NamePattern::parse(&name)?;
            let unit = match (pattern.has_layer(), self.unit) {
                (true, None) => UnitKind::Layer,
                (false, Some(unit)) if unit != UnitKind::Layer => unit,
                _ => return Err(format!("`{name}` must have either `{{layer}}` in its name or a unit")),
            };
            let shape: Vec<ShapeExpression> =
                shape.iter().map(|s| ShapeExpression::parse(s)).collect::<Result<_, _>>()?;
            if let Some(unknown) = shape.iter().flat_map(|s| s.names()).find(|n| !is_shape_name(n)) {
                return Err(format!("`{name}` has a shape with the unknown name `{unknown}`"));
            }
            templates.push(TensorTemplate {
                pattern,
                role: role.clone(),
                unit,
                feed: self.input.filter(|_| part != "bias"),
                part,
                shape,
                when: when.as_deref().map(Condition::parse),
                layers: self.layers,
                tied: self.tied,
            });
        }
        Ok(())
    }
}

fn is_shape_name(name: &str) -> bool {
    SHAPE_NAMES.contains(&name) || name.strip_prefix(CONFIG_NAME).is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "id = 'x'\nclasses = ['X']\nmodel_types = []\nnorm = 'rms'\nrope_layout = 'half'\n";

    #[test]
    fn mistakes_in_descriptions_are_named() {
        for (entry, word) in [
            ("name = 'a'\nrole = 'attn_norm'\nweight = ['hidden']", "unit"),
            ("name = 'a.{layer}'\nrole = 'attn_nrom'\nweight = ['hidden']", "attn_nrom"),
            ("name = 'a.{layer}'\nrole = 'attn_q'\nweight = ['hidden']", "feeds"),
            ("name = 'a.{layer}'\nrole = 'attn_norm'", "no part"),
            ("name = 'a.{layer}'\nrole = 'attn_norm'\nwieght = ['hidden']", "wieght"),
            ("name = 'a.{layer}'\nrole = 'attn_norm'\nweight = ['hidden*']", "missing"),
            ("name = 'a.{layer}'\nrole = 'attn_norm'\nweight = ['width']", "width"),
        ] {
            let problem = Family::from_toml(&format!("{HEAD}[[tensors]]\n{entry}\n")).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
