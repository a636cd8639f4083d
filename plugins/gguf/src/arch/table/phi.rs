//! Phi.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// One norm for both blocks, no gate.
static PHI2: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.final_layernorm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.dense"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.fc1"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.fc2"),
]];

/// Fused matrices stay fused; llama.cpp takes a double `ffn_up`.
static PHI3: &[&[Line]] = &[
    ENDS,
    NORMS,
    &[
        line(Role::AttnQkv, "blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"),
        line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
        line(Role::FfnGateUp, "blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"),
        line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "phi2",
        families: &["phi"],
        mark: None,
        class: "PhiForCausalLM",
        model_type: "phi",
        words: &[("rms_norm_eps", "layer_norm_eps")],
        activation: "gelu_new",
        lines: PHI2,
        keys: &[&[
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::LayerNormEpsilon,
            Key::RopeDimensions,
        ]],
        late_keys: &[&[Key::AddBos]],
    },
    Architecture {
        name: "phi3",
        families: &["phi3"],
        mark: None,
        class: "Phi3ForCausalLM",
        model_type: "phi3",
        words: &[],
        activation: "silu",
        lines: PHI3,
        keys: &[&[
            Key::ContextLength,
            count("rope.scaling.original_context_length", "original_max_position_embeddings", 4096),
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::RmsEpsilon,
            Key::RopeDimensions,
            Key::RopeBase,
            Key::LongRopeFactor,
        ]],
        late_keys: &[&[count("attention.sliding_window", "sliding_window", 0)]],
    },
];
