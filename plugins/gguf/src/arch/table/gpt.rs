//! GPT-2 and its kin: fused attention, no gate.

use super::shared::*;
use super::{Architecture, Mark};
use crate::arch::{Key, Layout, Line};
use llmq_plugin_api::wire::Role;

/// Linear layers of the source have inputs as rows.
static GPT2: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "transformer.wte"),
    line(Role::PositionEmbedding, "position_embd", "transformer.wpe"),
    line(Role::OutputNorm, "output_norm", "transformer.ln_f"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "transformer.h.{}.ln_1"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn", Layout::Transposed),
    arranged(Role::AttnOutput, "blk.{}.attn_output", "transformer.h.{}.attn.c_proj", Layout::Transposed),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "transformer.h.{}.ln_2"),
    arranged(Role::FfnUp, "blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc", Layout::Transposed),
    arranged(Role::FfnDown, "blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj", Layout::Transposed),
]];

/// Query, key and value of a head stand together in the source.
static GPT_NEOX: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "gpt_neox.embed_in"),
    line(Role::OutputNorm, "output_norm", "gpt_neox.final_layer_norm"),
    line(Role::OutputHead, "output", "embed_out"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value", Layout::HeadsOfThree),
    line(Role::AttnOutput, "blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"),
    line(Role::FfnUp, "blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"),
    line(Role::FfnDown, "blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"),
]];

/// Rows are fused by key-value head: its queries, its key, its value. One norm feeds both blocks.
static FALCON: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "transformer.word_embeddings"),
    line(Role::OutputNorm, "output_norm", "transformer.ln_f"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "transformer.h.{}.input_layernorm"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "transformer.h.{}.self_attention.query_key_value", Layout::Groups),
    line(Role::AttnOutput, "blk.{}.attn_output", "transformer.h.{}.self_attention.dense"),
    line(Role::FfnUp, "blk.{}.ffn_up", "transformer.h.{}.mlp.dense_h_to_4h"),
    line(Role::FfnDown, "blk.{}.ffn_down", "transformer.h.{}.mlp.dense_4h_to_h"),
]];

/// The same with a norm for each block; llama.cpp calls the one of the feed-forward block the first.
static FALCON_40B: &[&[Line]] = &[&[
    line(Role::TokenEmbedding, "token_embd", "transformer.word_embeddings"),
    line(Role::OutputNorm, "output_norm", "transformer.ln_f"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm_2", "transformer.h.{}.ln_attn"),
    line(Role::FfnNorm, "blk.{}.attn_norm", "transformer.h.{}.ln_mlp"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "transformer.h.{}.self_attention.query_key_value", Layout::Groups),
    line(Role::AttnOutput, "blk.{}.attn_output", "transformer.h.{}.self_attention.dense"),
    line(Role::FfnUp, "blk.{}.ffn_up", "transformer.h.{}.mlp.dense_h_to_4h"),
    line(Role::FfnDown, "blk.{}.ffn_down", "transformer.h.{}.mlp.dense_4h_to_h"),
]];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "gpt2",
        families: &["gpt2"],
        mark: None,
        class: "GPT2LMHeadModel",
        model_type: "gpt2",
        words: &[
            ("hidden_size", "n_embd"),
            ("num_hidden_layers", "n_layer"),
            ("num_attention_heads", "n_head"),
            ("intermediate_size", "n_inner"),
            ("max_position_embeddings", "n_positions"),
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("hidden_act", "activation_function"),
        ],
        activation: "gelu_new",
        lines: GPT2,
        keys: &[&[
            Key::Layers,
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Heads,
            Key::LayerNormEpsilon,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "gptneox",
        families: &["gpt_neox"],
        mark: None,
        class: "GPTNeoXForCausalLM",
        model_type: "gpt_neox",
        words: &[
            ("rms_norm_eps", "layer_norm_eps"),
            ("rope_theta", "rotary_emb_base"),
            ("partial_rotary_factor", "rotary_pct"),
        ],
        activation: "gelu",
        lines: GPT_NEOX,
        keys: &[&[
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::Layers,
            Key::FeedForwardLength,
            Key::RopeDimensions,
            Key::Heads,
            switch("use_parallel_residual", "use_parallel_residual", true),
            Key::LayerNormEpsilon,
            Key::RopeBase,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "falcon",
        families: &["falcon", "falcon2"],
        mark: None,
        class: "FalconForCausalLM",
        model_type: "falcon",
        words: &[
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("intermediate_size", "ffn_hidden_size"),
            ("hidden_act", "activation"),
        ],
        activation: "gelu",
        lines: FALCON,
        keys: &[&[
            Key::ContextLength,
            Key::Word("tensor_data_layout", "jploski"),
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::LayerNormEpsilon,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "falcon",
        families: &["falcon_40b"],
        mark: Some(Mark::Tensor("blk.0.attn_norm_2.weight")),
        class: "FalconForCausalLM",
        model_type: "falcon",
        words: &[
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("intermediate_size", "ffn_hidden_size"),
            ("hidden_act", "activation"),
        ],
        activation: "gelu",
        lines: FALCON_40B,
        keys: &[&[
            Key::ContextLength,
            Key::Word("tensor_data_layout", "jploski"),
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::LayerNormEpsilon,
        ]],
        late_keys: &[],
    },
];
