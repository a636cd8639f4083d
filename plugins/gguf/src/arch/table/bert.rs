//! BERT and the sentence embeddings built on it: norms behind the blocks, learned positions and segments, no causal
//! mask, no output head.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

static BERT: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "embeddings.word_embeddings"),
    line(Role::PositionEmbedding, "position_embd", "embeddings.position_embeddings"),
    line(Role::TokenTypeEmbedding, "token_types", "embeddings.token_type_embeddings"),
    line(Role::EmbeddingNorm, "token_embd_norm", "embeddings.LayerNorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "encoder.layer.{}.attention.self.query"),
    line(Role::AttnK, "blk.{}.attn_k", "encoder.layer.{}.attention.self.key"),
    line(Role::AttnV, "blk.{}.attn_v", "encoder.layer.{}.attention.self.value"),
    line(Role::AttnOutput, "blk.{}.attn_output", "encoder.layer.{}.attention.output.dense"),
    line(Role::AttnPostNorm, "blk.{}.attn_output_norm", "encoder.layer.{}.attention.output.LayerNorm"),
    line(Role::FfnUp, "blk.{}.ffn_up", "encoder.layer.{}.intermediate.dense"),
    line(Role::FfnDown, "blk.{}.ffn_down", "encoder.layer.{}.output.dense"),
    line(Role::FfnPostNorm, "blk.{}.layer_output_norm", "encoder.layer.{}.output.LayerNorm"),
]];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "bert",
    families: &["bert"],
    mark: None,
    class: "BertModel",
    model_type: "bert",
    words: &[("rms_norm_eps", "layer_norm_eps")],
    activation: "gelu",
    lines: BERT,
    keys: &[&[
        Key::Layers,
        Key::ContextLength,
        Key::EmbeddingLength,
        Key::FeedForwardLength,
        Key::Heads,
        Key::LayerNormEpsilon,
    ]],
    late_keys: &[&[switch("attention.causal", "is_decoder", false)]],
}];
