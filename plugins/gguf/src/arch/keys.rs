//! The architecture's own metadata keys, from the host's resolved hyperparameters.

use super::{Architecture, Latent};
use crate::value::{Array, KeyValue, Value};
use llmq_plugin_api::wire::{Experts, Hyperparameters, ModelDescription, Rope, RopeScaling};
use serde_json::Value as Json;

/// One key, or a few that belong together. Names follow the architecture: `llama.block_count`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Key {
    /// `block_count`.
    Layers,
    /// `context_length`.
    ContextLength,
    /// `embedding_length`.
    EmbeddingLength,
    /// `feed_forward_length`.
    FeedForwardLength,
    /// `attention.head_count`.
    Heads,
    /// `attention.head_count_kv`.
    KvHeads,
    /// `rope.scaling.*`, if the context is extended in a way that has keys.
    RopeScaling,
    /// `rope.freq_base`.
    RopeBase,
    /// `attention.layer_norm_rms_epsilon`.
    RmsEpsilon,
    /// `attention.key_length` and `attention.value_length`: classes that always have a head width of their own.
    HeadWidth,
    /// The same, only if config.json states the head width.
    StatedHeadWidth,
    /// `vocab_size`.
    VocabSize,
    /// `rope.dimension_count`.
    RopeDimensions,
    /// `attention.layer_norm_epsilon`.
    LayerNormEpsilon,
    /// `expert_count`.
    Experts,
    /// `expert_used_count`.
    ExpertsUsed,
    /// `expert_feed_forward_length`.
    ExpertFeedForwardLength,
    /// `attention.sliding_window`, if there is a window.
    SlidingWindow,
    /// `attention.sliding_window_pattern`: for every layer whether it has a window; left out if all but every
    /// `usual`-th layer have one, which llama.cpp then takes for granted.
    WindowPattern {
        /// The pattern that needs no key.
        usual: Option<u32>,
    },
    /// `rope.freq_base_swa`, if layers with a window rotate by a base of their own.
    SlidingRopeBase,
    /// `rope.scaling.type` = `none`, if the context is not extended.
    NoRopeScaling,
    /// Phi-3's `rope.scaling.attn_factor` for its extended context.
    LongRopeFactor,
    /// A whole number that is the same for every model.
    Constant(&'static str, u32),
    /// A whole number of config.json that is left out where there is none: null, or nothing stated and no default.
    StatedCount {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
        /// What the class assumes where the file is silent.
        default: Option<u32>,
    },
    /// A boolean of config.json that is left out where it is false.
    TrueSwitch {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
        /// What the class assumes.
        default: bool,
    },
    /// `expert_gating_func`: how the router's outputs become scores.
    GatingFunction {
        /// What the class computes without saying so in config.json; `None` where llama.cpp's own default is right.
        default: Option<&'static str>,
    },
    /// `attention.key_length` and `attention.value_length` of latent attention as llama.cpp caches it.
    LatentCache,
    /// Widths of latent attention.
    LatentWidths,
    /// `rope.scaling.yarn_log_multiplier`, if config.json states `mscale_all_dim`.
    YarnLogMultiplier,
    /// A number of config.json.
    Number {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
        /// What the class assumes.
        default: f64,
    },
    /// A number of config.json, left out if it is not there or 0.
    StatedNumber {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
    },
    /// The quotient of two numbers of config.json.
    Quotient {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// What is divided.
        over: Operand,
        /// What it is divided by.
        under: Operand,
    },
    /// A whole number of config.json.
    Count {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
        /// What the class assumes.
        default: u32,
    },
    /// A boolean of config.json.
    Switch {
        /// GGUF name behind the architecture.
        key: &'static str,
        /// config.json's name.
        config: &'static str,
        /// What the class assumes.
        default: bool,
    },
    /// A word that is the same for every model.
    Word(&'static str, &'static str),
    /// `tokenizer.ggml.add_bos_token` in front of the vocabulary's keys; these set its value.
    AddBos,
}

/// One number of a quotient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operand {
    /// config.json's name.
    pub config: &'static str,
    /// What the class assumes.
    pub default: f64,
    /// Whether its square root is taken.
    pub root: bool,
}

/// The key-values of a list of keys, in their order.
pub fn write_keys(arch: &Architecture, keys: &[&[Key]], model: &ModelDescription) -> Vec<KeyValue> {
    let mut writer = Writer { prefix: arch.name, out: Vec::new() };
    for key in keys.iter().copied().flatten() {
        writer.write(*key, &model.hyperparameters, &Settings(&model.config), Latent::read(model));
    }
    writer.out
}

/// config.json, with the language model's own part first.
struct Settings<'a>(&'a Json);

impl Settings<'_> {
    fn get(&self, key: &str) -> Option<&Json> {
        let places = [self.0.get("text_config"), Some(self.0)];
        places.into_iter().flatten().find_map(|place| place.get(key).filter(|value| !value.is_null()))
    }

    /// A count, the default where the file is silent, or nothing where it says null.
    fn count_or_none(&self, key: &str, default: Option<u32>) -> Option<u32> {
        match self.get(key) {
            Some(value) => value.as_u64().and_then(|n| u32::try_from(n).ok()),
            None if self.0.get(key).is_some_and(Json::is_null) => None,
            None => default,
        }
    }
}

/// Numbers of scoring functions in GGUF.
const GATING_FUNCTIONS: &[(&str, u32)] = &[("softmax", 1), ("sigmoid", 2), ("sqrtsoftplus", 4)];

fn gating_function(word: Option<&str>) -> Option<u32> {
    GATING_FUNCTIONS.iter().find(|(name, _)| Some(*name) == word).map(|(_, id)| *id)
}

/// The word of a scoring function's number.
pub fn gating_word(id: u64) -> Option<&'static str> {
    GATING_FUNCTIONS.iter().find(|(_, number)| u64::from(*number) == id).map(|(name, _)| *name)
}

struct Writer {
    prefix: &'static str,
    out: Vec<KeyValue>,
}

impl Writer {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.out.push(KeyValue::new(format!("{}.{key}", self.prefix), value));
    }

    fn write(&mut self, key: Key, numbers: &Hyperparameters, settings: &Settings<'_>, latent: Latent) {
        let attention = &numbers.attention;
        match key {
            Key::Layers => self.put("block_count", numbers.layers),
            Key::ContextLength => self.put("context_length", numbers.context_length),
            Key::EmbeddingLength => self.put("embedding_length", numbers.hidden_size),
            Key::FeedForwardLength => self.put("feed_forward_length", numbers.intermediate_size),
            Key::Heads => self.put("attention.head_count", attention.heads),
            Key::KvHeads => self.put("attention.head_count_kv", attention.kv_heads),
            Key::RopeScaling => {
                if let Some(scaling) = numbers.rope.as_ref().and_then(|rope| rope.scaling.as_ref()) {
                    self.rope_scaling(scaling, numbers.context_length);
                }
            }
            Key::RopeBase => self.with_rope(numbers, |writer, rope| writer.put("rope.freq_base", rope.theta as f32)),
            Key::RmsEpsilon => self.put("attention.layer_norm_rms_epsilon", numbers.norm_eps as f32),
            Key::StatedHeadWidth if !attention.head_dim_stated => {}
            Key::HeadWidth | Key::StatedHeadWidth => {
                self.put("attention.key_length", attention.head_dim);
                self.put("attention.value_length", attention.head_dim);
            }
            Key::VocabSize => self.put("vocab_size", numbers.vocab_size),
            Key::RopeDimensions => {
                self.with_rope(numbers, |writer, rope| writer.put("rope.dimension_count", rope.dimensions));
            }
            Key::LayerNormEpsilon => self.put("attention.layer_norm_epsilon", numbers.norm_eps as f32),
            Key::Experts => self.with_experts(numbers, |writer, e| writer.put("expert_count", e.count)),
            Key::ExpertsUsed => self.with_experts(numbers, |writer, e| writer.put("expert_used_count", e.used)),
            Key::ExpertFeedForwardLength => {
                self.with_experts(numbers, |writer, e| writer.put("expert_feed_forward_length", e.intermediate_size));
            }
            Key::SlidingWindow => {
                if let Some(window) = attention.sliding_window {
                    self.put("attention.sliding_window", window);
                }
            }
            Key::WindowPattern { usual } => {
                let windows = &attention.windows;
                let usual = usual.filter(|n| *n > 0).is_some_and(|n| {
                    (1..).zip(windows).all(|(layer, window): (u32, _)| window.is_some() != layer.is_multiple_of(n))
                });
                if attention.sliding_window.is_some() && !windows.is_empty() && !usual {
                    let pattern = windows.iter().map(Option::is_some).collect();
                    self.put("attention.sliding_window_pattern", Value::Array(Array::Bool(pattern)));
                }
            }
            Key::SlidingRopeBase => {
                let by_layer = |place: &str| settings.get(place).is_some_and(|p| p.get("sliding_attention").is_some());
                let stated = by_layer("rope_parameters") || by_layer("rope_scaling");
                let main = numbers.rope.as_ref().map(|rope| rope.theta);
                if let Some(rope) = numbers.sliding_rope.as_ref().filter(|rope| stated || Some(rope.theta) != main) {
                    self.put("rope.freq_base_swa", rope.theta as f32);
                }
            }
            Key::NoRopeScaling => {
                if numbers.rope.as_ref().is_none_or(|rope| rope.scaling.is_none()) {
                    self.put("rope.scaling.type", "none");
                }
            }
            Key::LongRopeFactor => self.with_rope(numbers, |writer, rope| {
                if let Some(factor) = long_rope_factor(rope, numbers.context_length) {
                    writer.put("rope.scaling.attn_factor", factor as f32);
                }
            }),
            Key::Number { key, config, default } => {
                self.put(key, settings.get(config).and_then(Json::as_f64).unwrap_or(default) as f32);
            }
            Key::StatedNumber { key, config } => {
                if let Some(value) = settings.get(config).and_then(Json::as_f64).filter(|value| *value != 0.0) {
                    self.put(key, value as f32);
                }
            }
            Key::Quotient { key, over, under } => {
                let value = |operand: Operand| {
                    let stated = settings.get(operand.config).and_then(Json::as_f64).unwrap_or(operand.default);
                    if operand.root { stated.sqrt() } else { stated }
                };
                self.put(key, (value(over) / value(under)) as f32);
            }
            Key::Count { key, config, default } => {
                let stated = settings.get(config).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok());
                self.put(key, stated.unwrap_or(default));
            }
            Key::Switch { key, config, default } => {
                self.put(key, settings.get(config).and_then(Json::as_bool).unwrap_or(default));
            }
            Key::Word(key, word) => self.put(key, word),
            Key::Constant(key, value) => self.put(key, value),
            Key::StatedCount { key, config, default } => {
                if let Some(count) = settings.count_or_none(config, default) {
                    self.put(key, count);
                }
            }
            Key::TrueSwitch { key, config, default } => {
                if settings.get(config).and_then(Json::as_bool).unwrap_or(default) {
                    self.put(key, true);
                }
            }
            Key::GatingFunction { default } => {
                if let Some(id) = gating_function(settings.get("scoring_func").and_then(Json::as_str).or(default)) {
                    self.put("expert_gating_func", id);
                }
            }
            Key::LatentCache => {
                self.put("attention.key_length", latent.cached_key());
                self.put("attention.value_length", latent.rank);
            }
            Key::LatentWidths => latent.keys().into_iter().for_each(|(key, value)| self.put(key, value)),
            Key::YarnLogMultiplier => {
                let places = ["rope_parameters", "rope_scaling"];
                let stated = places.iter().find_map(|place| settings.get(place)?.get("mscale_all_dim")?.as_f64());
                if let Some(multiplier) = stated {
                    self.put("rope.scaling.yarn_log_multiplier", (0.1 * multiplier) as f32);
                }
            }
            Key::AddBos => self.out.push(KeyValue::new("tokenizer.ggml.add_bos_token".to_owned(), false)),
        }
    }

    fn with_rope(&mut self, numbers: &Hyperparameters, body: impl Fn(&mut Writer, &Rope)) {
        if let Some(rope) = &numbers.rope {
            body(self, rope);
        }
    }

    fn with_experts(&mut self, numbers: &Hyperparameters, body: impl Fn(&mut Writer, &Experts)) {
        if let Some(experts) = &numbers.experts {
            body(self, experts);
        }
    }

    /// llama3 has no keys: it becomes a tensor of factors.
    fn rope_scaling(&mut self, scaling: &RopeScaling, context_length: u32) {
        match scaling.kind.as_str() {
            "linear" => {
                self.put("rope.scaling.type", "linear");
                self.put("rope.scaling.factor", scaling.factor.unwrap_or(1.0) as f32);
            }
            "yarn" => {
                self.put("rope.scaling.type", "yarn");
                self.put("rope.scaling.factor", scaling.factor.unwrap_or(1.0) as f32);
                let original = scaling.original_context_length.unwrap_or(context_length);
                self.put("rope.scaling.original_context_length", original);
                let optional = [
                    ("rope.scaling.yarn_attn_factor", scaling.attention_factor),
                    ("rope.scaling.yarn_beta_fast", scaling.beta_fast),
                    ("rope.scaling.yarn_beta_slow", scaling.beta_slow),
                ];
                for (key, value) in optional {
                    if let Some(value) = value {
                        self.put(key, value as f32);
                    }
                }
            }
            "longrope" | "su" => {
                self.put("rope.scaling.type", "longrope");
                if let Some(factor) = scaling.attention_factor {
                    self.put("rope.scaling.attn_factor", factor as f32);
                }
                if let Some(original) = scaling.original_context_length {
                    self.put("rope.scaling.original_context_length", original);
                }
            }
            _ => {}
        }
    }
}

/// What an extended Phi-3 multiplies its rotated vectors with: the stated factor, or the one that follows from how far
/// the context is extended.
fn long_rope_factor(rope: &Rope, context_length: u32) -> Option<f64> {
    let scaling = rope.scaling.as_ref().filter(|scaling| scaling.kind == "longrope")?;
    let original = f64::from(scaling.original_context_length?);
    let extension = f64::from(context_length) / original;
    let computed = || if extension > 1.0 { (1.0 + extension.ln() / original.ln()).sqrt() } else { 1.0 };
    Some(scaling.attention_factor.unwrap_or_else(computed))
}
