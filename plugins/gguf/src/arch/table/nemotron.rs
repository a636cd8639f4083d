//! Nemotron: layer norms around 1 that the source stores around 0, no gate.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

static NEMOTRON: &[&[Line]] = &[
    ATTENTION,
    &[
        line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
        plus_one(Role::OutputNorm, "output_norm", "model.norm"),
        line(Role::OutputHead, "output", "lm_head"),
        plus_one(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
        plus_one(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
        line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
        line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "nemotron",
    families: &["nemotron"],
    mark: None,
    class: "NemotronForCausalLM",
    model_type: "nemotron",
    words: &[("rms_norm_eps", "norm_eps")],
    activation: "relu2",
    lines: NEMOTRON,
    // The converter takes `norm_eps` for both kinds of norm.
    keys: &[RMS, &[Key::StatedHeadWidth]],
    late_keys: &[&[Key::VocabSize, Key::LayerNormEpsilon, Key::RopeDimensions, Key::NoRopeScaling]],
}];
