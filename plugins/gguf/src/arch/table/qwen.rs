//! Qwen, dense and with experts, and Seed-OSS.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// Experts beside a shared one, which Qwen3 has not.
static QWEN_MOE: &[&[Line]] = &[
    ENDS,
    NORMS,
    ATTENTION,
    HEAD_NORMS,
    &[
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"),
        line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{e}.gate_proj"),
        line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{e}.up_proj"),
        line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{e}.down_proj"),
        line(Role::SharedExpertGate, "blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_expert.gate_proj"),
        line(Role::SharedExpertUp, "blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_expert.up_proj"),
        line(Role::SharedExpertDown, "blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_expert.down_proj"),
        line(Role::SharedExpertRouter, "blk.{}.ffn_gate_inp_shexp", "model.layers.{}.mlp.shared_expert_gate"),
    ],
];

/// The norm in front of the feed-forward block has another name.
static SEED_OSS: &[&[Line]] = &[
    ENDS,
    ATTENTION,
    GATED,
    &[
        line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
        line(Role::FfnNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "qwen2",
        families: &["qwen2"],
        mark: None,
        class: "Qwen2ForCausalLM",
        model_type: "qwen2",
        words: &[],
        activation: "silu",
        lines: LLAMA_LIKE,
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[],
    },
    Architecture {
        name: "qwen3",
        families: &["qwen3"],
        mark: None,
        class: "Qwen3ForCausalLM",
        model_type: "qwen3",
        words: &[],
        activation: "silu",
        lines: LLAMA_LIKE,
        keys: &[RMS, &[Key::HeadWidth]],
        late_keys: &[],
    },
    Architecture {
        name: "qwen2moe",
        families: &["qwen2_moe"],
        mark: None,
        class: "Qwen2MoeForCausalLM",
        model_type: "qwen2_moe",
        words: &[],
        activation: "silu",
        lines: QWEN_MOE,
        keys: &[RMS, EXPERTS, &[Key::StatedHeadWidth]],
        late_keys: &[&[
            Key::ExpertFeedForwardLength,
            count("expert_shared_feed_forward_length", "shared_expert_intermediate_size", 5632),
        ]],
    },
    Architecture {
        name: "qwen3moe",
        families: &["qwen3_moe"],
        mark: None,
        class: "Qwen3MoeForCausalLM",
        model_type: "qwen3_moe",
        words: &[],
        activation: "silu",
        lines: QWEN_MOE,
        keys: &[RMS, EXPERTS, &[Key::HeadWidth]],
        late_keys: &[&[Key::ExpertFeedForwardLength]],
    },
    Architecture {
        name: "seed_oss",
        families: &["seed_oss"],
        mark: None,
        class: "SeedOssForCausalLM",
        model_type: "seed_oss",
        words: &[],
        activation: "silu",
        lines: SEED_OSS,
        keys: &[RMS, &[Key::HeadWidth]],
        late_keys: &[],
    },
];
