//! gpt-oss: experts with biases, gate and up in alternating rows, attention sinks.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Layout, Line};
use llmq_plugin_api::wire::Role;

/// Plain weights have inputs as rows; gate and up alternate.
static EXPERT_LINES: &[Line] = &[
    bare(
        Role::ExpertGateUp,
        "weight",
        "blk.{}.ffn_gate_exps",
        "model.layers.{}.mlp.experts.gate_up_proj",
        Layout::EvenColumns,
    ),
    bare(
        Role::ExpertGateUp,
        "weight",
        "blk.{}.ffn_up_exps",
        "model.layers.{}.mlp.experts.gate_up_proj",
        Layout::OddColumns,
    ),
    bare(
        Role::ExpertGateUp,
        "bias",
        "blk.{}.ffn_gate_exps",
        "model.layers.{}.mlp.experts.gate_up_proj_bias",
        Layout::EvenColumns,
    ),
    bare(
        Role::ExpertGateUp,
        "bias",
        "blk.{}.ffn_up_exps",
        "model.layers.{}.mlp.experts.gate_up_proj_bias",
        Layout::OddColumns,
    ),
    bare(
        Role::ExpertDown,
        "weight",
        "blk.{}.ffn_down_exps",
        "model.layers.{}.mlp.experts.down_proj",
        Layout::TransposedStack,
    ),
    bare(Role::ExpertDown, "bias", "blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.down_proj_bias", Layout::Plain),
];

static LINES: &[&[Line]] = &[
    ENDS,
    ATTENTION,
    &[
        line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
        bare(Role::AttnSinks, "weight", "blk.{}.attn_sinks", "model.layers.{}.self_attn.sinks", Layout::Plain),
        line(Role::FfnNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.mlp.router"),
    ],
    EXPERT_LINES,
];

/// The entry.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "gpt-oss",
    families: &["gpt_oss"],
    mark: None,
    class: "GptOssForCausalLM",
    model_type: "gpt_oss",
    words: &[("num_experts", "num_local_experts"), ("moe_intermediate_size", "intermediate_size")],
    activation: "silu",
    lines: LINES,
    keys: &[RMS, EXPERTS, &[Key::HeadWidth]],
    late_keys: &[&[Key::SlidingWindow, Key::ExpertFeedForwardLength]],
}];
