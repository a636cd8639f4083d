//! Llama and the architectures that rotate as it does.

use super::shared::*;
use super::{Architecture, Mark};
use crate::arch::{Key, Layout, Line, Operand};
use llmq_plugin_api::wire::Role;

const GRANITE_SCALES: &[Key] = &[
    number("attention.scale", "attention_multiplier", 1.0),
    number("embedding_scale", "embedding_multiplier", 1.0),
    number("residual_scale", "residual_multiplier", 1.0),
    number("logit_scale", "logits_scaling", 1.0),
];

/// What MiniCPM scales by, in numbers that its class computes.
const MINICPM_SCALES: &[Key] = &[
    number("embedding_scale", "scale_emb", 1.0),
    Key::Quotient {
        key: "residual_scale",
        over: Operand { config: "scale_depth", default: 1.0, root: false },
        under: Operand { config: "num_hidden_layers", default: 32.0, root: true },
    },
    Key::Quotient {
        key: "logit_scale",
        over: Operand { config: "hidden_size", default: 4096.0, root: false },
        under: Operand { config: "dim_model_base", default: 1.0, root: false },
    },
];

/// Llama with stacked experts.
static MIXTRAL: &[&[Line]] = &[
    ENDS,
    NORMS,
    ROTATED,
    &[
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"),
        line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w1"),
        line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w3"),
        line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w2"),
    ],
];

/// Experts that the source stacks, gate and up in one tensor.
static GRANITE_MOE: &[&[Line]] = &[
    ENDS,
    NORMS,
    ROTATED,
    &[
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.router.layer"),
        arranged(
            Role::ExpertGateUp,
            "blk.{}.ffn_gate_exps",
            "model.layers.{}.block_sparse_moe.input_linear",
            Layout::FirstHalf,
        ),
        arranged(
            Role::ExpertGateUp,
            "blk.{}.ffn_up_exps",
            "model.layers.{}.block_sparse_moe.input_linear",
            Layout::SecondHalf,
        ),
        line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.output_linear"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "llama",
        families: &["llama", "mistral"],
        mark: None,
        class: "LlamaForCausalLM",
        model_type: "llama",
        words: &[],
        activation: "silu",
        lines: LLAMA,
        keys: &[RMS, &[Key::HeadWidth]],
        late_keys: &[LLAMA_LATE],
    },
    Architecture {
        name: "llama",
        families: &["mixtral"],
        mark: Some(Mark::Key("expert_count")),
        class: "MixtralForCausalLM",
        model_type: "mixtral",
        words: &[("num_experts", "num_local_experts")],
        activation: "silu",
        lines: MIXTRAL,
        keys: &[RMS, EXPERTS, &[Key::StatedHeadWidth]],
        late_keys: &[LLAMA_LATE],
    },
    Architecture {
        name: "smollm3",
        families: &["smollm3"],
        mark: None,
        class: "SmolLM3ForCausalLM",
        model_type: "smollm3",
        words: &[],
        activation: "silu",
        lines: LLAMA,
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[LLAMA_LATE],
    },
    Architecture {
        name: "granite",
        families: &["granite"],
        mark: None,
        class: "GraniteForCausalLM",
        model_type: "granite",
        words: &[],
        activation: "silu",
        lines: LLAMA,
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[LLAMA_LATE, GRANITE_SCALES],
    },
    Architecture {
        name: "minicpm",
        families: &["minicpm"],
        mark: None,
        class: "MiniCPMForCausalLM",
        model_type: "minicpm",
        words: &[],
        activation: "silu",
        lines: LLAMA,
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[MINICPM_SCALES],
    },
    Architecture {
        name: "granitemoe",
        families: &["granitemoe"],
        mark: None,
        class: "GraniteMoeForCausalLM",
        model_type: "granitemoe",
        words: &[("num_experts", "num_local_experts")],
        activation: "silu",
        lines: GRANITE_MOE,
        keys: &[RMS, EXPERTS, &[Key::StatedHeadWidth]],
        late_keys: &[LLAMA_LATE, GRANITE_SCALES],
    },
];
