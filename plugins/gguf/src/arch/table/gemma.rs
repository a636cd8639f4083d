//! Gemma: norms around 1 that the source stores around 0.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

const GEMMA_KEYS: &[Key] = &[
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::Layers,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RmsEpsilon,
    Key::HeadWidth,
];

/// Norms around 1 are stored around 0 by Hugging Face.
static GEMMA: &[&[Line]] = &[
    ATTENTION,
    GATED,
    &[
        line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
        plus_one(Role::OutputNorm, "output_norm", "model.norm"),
        line(Role::OutputHead, "output", "lm_head"),
        plus_one(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
        plus_one(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    ],
];

/// The same with norms on both sides.
static GEMMA2: &[&[Line]] = &[
    ATTENTION,
    GATED,
    &[
        line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
        plus_one(Role::OutputNorm, "output_norm", "model.norm"),
        line(Role::OutputHead, "output", "lm_head"),
        plus_one(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
        plus_one(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
        plus_one(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"),
        plus_one(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"),
    ],
];

/// Gemma 2 with norms on queries and keys.
static GEMMA3: &[&[Line]] = &[
    GEMMA2[0],
    GEMMA2[1],
    GEMMA2[2],
    &[
        plus_one(Role::AttnQNorm, "blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"),
        plus_one(Role::AttnKNorm, "blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "gemma",
        families: &["gemma"],
        mark: None,
        class: "GemmaForCausalLM",
        model_type: "gemma",
        words: &[],
        activation: "gelu_pytorch_tanh",
        lines: GEMMA,
        keys: &[GEMMA_KEYS],
        late_keys: &[],
    },
    Architecture {
        name: "gemma2",
        families: &["gemma2"],
        mark: None,
        class: "Gemma2ForCausalLM",
        model_type: "gemma2",
        words: &[("hidden_act", "hidden_activation")],
        activation: "gelu_pytorch_tanh",
        lines: GEMMA2,
        keys: &[GEMMA_KEYS],
        late_keys: &[&[
            number("attn_logit_softcapping", "attn_logit_softcapping", 50.0),
            number("final_logit_softcapping", "final_logit_softcapping", 30.0),
            Key::SlidingWindow,
        ]],
    },
    Architecture {
        name: "gemma3",
        families: &["gemma3"],
        mark: None,
        class: "Gemma3ForCausalLM",
        model_type: "gemma3_text",
        words: &[("hidden_act", "hidden_activation")],
        activation: "gelu_pytorch_tanh",
        lines: GEMMA3,
        keys: &[RMS_WITH_WINDOW, &[Key::HeadWidth]],
        late_keys: &[&[
            Key::StatedNumber { key: "final_logit_softcapping", config: "final_logit_softcapping" },
            Key::SlidingWindow,
            Key::WindowPattern { usual: Some(6) },
        ]],
    },
];
