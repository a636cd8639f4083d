//! What many architectures share: operations of models like Llama, and lists of keys.

use crate::arch::{Key, Layout, Line};
use llmq_plugin_api::wire::Role;

pub(super) const fn line(role: Role, gguf: &'static str, hugging_face: &'static str) -> Line {
    arranged(role, gguf, hugging_face, Layout::Plain)
}

pub(super) const fn arranged(role: Role, gguf: &'static str, hugging_face: &'static str, layout: Layout) -> Line {
    Line { role, gguf, hugging_face, bare: None, layout, shift: 0.0 }
}

/// A tensor that is called exactly `hugging_face` and plays the part `part`.
pub(super) const fn bare(
    role: Role,
    part: &'static str,
    gguf: &'static str,
    hugging_face: &'static str,
    layout: Layout,
) -> Line {
    Line { role, gguf, hugging_face, bare: Some(part), layout, shift: 0.0 }
}

/// Norms around 1 that the source stores around 0.
pub(super) const fn plus_one(role: Role, gguf: &'static str, hugging_face: &'static str) -> Line {
    Line { role, gguf, hugging_face, bare: None, layout: Layout::Plain, shift: 1.0 }
}

pub(super) const fn number(key: &'static str, config: &'static str, default: f64) -> Key {
    Key::Number { key, config, default }
}

pub(super) const fn count(key: &'static str, config: &'static str, default: u32) -> Key {
    Key::Count { key, config, default }
}

pub(super) const fn switch(key: &'static str, config: &'static str, default: bool) -> Key {
    Key::Switch { key, config, default }
}

/// The token embedding, the last norm, the output head.
pub(super) static ENDS: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
];

/// Norms in front of both blocks.
pub(super) static NORMS: &[Line] = &[
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
];

/// Attention whose queries and keys llama.cpp rotates as halves of a head, as Hugging Face does.
pub(super) static ATTENTION: &[Line] = &[
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
];

/// Attention whose queries and keys llama.cpp rotates by neighbouring rows.
pub(super) static ROTATED: &[Line] = &[
    arranged(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Layout::QueryNeighbours),
    arranged(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Layout::KeyNeighbours),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
];

/// Norms on queries and keys.
pub(super) static HEAD_NORMS: &[Line] = &[
    line(Role::AttnQNorm, "blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"),
    line(Role::AttnKNorm, "blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"),
];

/// The feed-forward block with a gate.
pub(super) static GATED: &[Line] = &[
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// Every operation that models like Llama have; a model without one of them (norms on queries, biases) is fine.
pub(super) static LLAMA_LIKE: &[&[Line]] = &[ENDS, NORMS, ATTENTION, HEAD_NORMS, GATED];

/// The same for architectures whose queries and keys llama.cpp rotates by neighbouring rows.
pub(super) static LLAMA: &[&[Line]] = &[ENDS, NORMS, ROTATED, GATED];

/// Keys of most architectures with root-mean-square norms.
pub(super) const RMS: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RopeScaling,
    Key::RopeBase,
    Key::RmsEpsilon,
];

/// The same where layers with a window may have a rotary base of their own.
pub(super) const RMS_WITH_WINDOW: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RopeScaling,
    Key::RopeBase,
    Key::SlidingRopeBase,
    Key::RmsEpsilon,
];

/// The same with layer norms.
pub(super) const LAYER_NORM: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RopeScaling,
    Key::RopeBase,
    Key::LayerNormEpsilon,
];

/// Routed experts.
pub(super) const EXPERTS: &[Key] = &[Key::Experts, Key::ExpertsUsed];

/// What the converter's Llama class writes behind the file type.
pub(super) const LLAMA_LATE: &[Key] = &[Key::VocabSize, Key::RopeDimensions];
