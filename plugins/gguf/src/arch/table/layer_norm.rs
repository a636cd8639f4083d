//! Llama's shape with layer norms: StableLM, Cohere, StarCoder2.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// No gate.
static STARCODER2: &[&[Line]] = &[
    ENDS,
    NORMS,
    ATTENTION,
    &[
        line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.c_fc"),
        line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.c_proj"),
    ],
];

/// Norms on queries and keys are stacks of one norm per head.
static STABLELM: &[&[Line]] = &[
    ENDS,
    NORMS,
    ATTENTION,
    GATED,
    &[
        line(Role::AttnQNorm, "blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_layernorm.norms.{e}"),
        line(Role::AttnKNorm, "blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_layernorm.norms.{e}"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "stablelm",
        families: &["stablelm"],
        mark: None,
        class: "StableLmForCausalLM",
        model_type: "stablelm",
        words: &[("rms_norm_eps", "layer_norm_eps")],
        activation: "silu",
        lines: STABLELM,
        keys: &[&[
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::Layers,
            Key::FeedForwardLength,
            Key::RopeDimensions,
            Key::Heads,
            Key::KvHeads,
            switch("use_parallel_residual", "use_parallel_residual", false),
            Key::LayerNormEpsilon,
            Key::RopeScaling,
            Key::RopeBase,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "command-r",
        families: &["cohere"],
        mark: None,
        class: "CohereForCausalLM",
        model_type: "cohere",
        words: &[("rms_norm_eps", "layer_norm_eps")],
        activation: "silu",
        lines: LLAMA_LIKE,
        keys: &[LAYER_NORM],
        late_keys: &[&[number("logit_scale", "logit_scale", 0.0625), Key::Word("rope.scaling.type", "none")]],
    },
    Architecture {
        name: "starcoder2",
        families: &["starcoder2"],
        mark: None,
        class: "Starcoder2ForCausalLM",
        model_type: "starcoder2",
        words: &[("rms_norm_eps", "norm_epsilon")],
        activation: "gelu_pytorch_tanh",
        lines: STARCODER2,
        keys: &[LAYER_NORM],
        late_keys: &[],
    },
    Architecture {
        name: "cohere2",
        families: &["cohere2"],
        mark: None,
        class: "Cohere2ForCausalLM",
        model_type: "cohere2",
        words: &[("rms_norm_eps", "layer_norm_eps"), ("partial_rotary_factor", "rotary_pct")],
        activation: "silu",
        lines: LLAMA_LIKE,
        keys: &[LAYER_NORM, &[Key::StatedHeadWidth]],
        late_keys: &[&[
            number("logit_scale", "logit_scale", 0.0625),
            Key::SlidingWindow,
            Key::WindowPattern { usual: Some(4) },
            Key::VocabSize,
            Key::RopeDimensions,
            Key::NoRopeScaling,
        ]],
    },
];
