//! The architecture's own metadata keys, from the host's resolved hyperparameters.

use super::Architecture;
use crate::value::{KeyValue, Value};
use llmq_plugin_api::wire::{Hyperparameters, Rope, RopeScaling};

/// One key, or a few that belong together. Names follow the architecture: `llama.block_count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// The key-values of a list of keys, in their order.
pub fn write_keys(arch: &Architecture, keys: &[Key], numbers: &Hyperparameters) -> Vec<KeyValue> {
    let mut writer = Writer { prefix: arch.name, out: Vec::new() };
    keys.iter().for_each(|key| writer.write(*key, numbers));
    writer.out
}

struct Writer {
    prefix: &'static str,
    out: Vec<KeyValue>,
}

impl Writer {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.out.push(KeyValue::new(format!("{}.{key}", self.prefix), value));
    }

    fn write(&mut self, key: Key, numbers: &Hyperparameters) {
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
        }
    }

    fn with_rope(&mut self, numbers: &Hyperparameters, body: impl Fn(&mut Writer, &Rope)) {
        if let Some(rope) = &numbers.rope {
            body(self, rope);
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
