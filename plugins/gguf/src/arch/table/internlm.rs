//! InternLM 2: Llama under other names, its query, key and value rows fused by key-value head.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Layout, Line};
use llmq_plugin_api::wire::Role;

const FUSED: &str = "model.layers.{}.attention.wqkv";

static INTERNLM2: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "model.tok_embeddings"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "output"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.attention_norm"),
    arranged(Role::AttnQkv, "blk.{}.attn_q", FUSED, Layout::GroupQueries),
    arranged(Role::AttnQkv, "blk.{}.attn_k", FUSED, Layout::GroupKeys),
    arranged(Role::AttnQkv, "blk.{}.attn_v", FUSED, Layout::GroupValues),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.attention.wo"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.ffn_norm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.feed_forward.w1"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.feed_forward.w3"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.feed_forward.w2"),
]];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "internlm2",
    families: &["internlm2"],
    mark: None,
    class: "InternLM2ForCausalLM",
    model_type: "internlm2",
    words: &[],
    activation: "silu",
    lines: INTERNLM2,
    keys: &[RMS, &[Key::StatedHeadWidth]],
    late_keys: &[],
}];
