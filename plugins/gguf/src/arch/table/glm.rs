//! GLM-4: norms on both sides, gate and up fused.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// Norms on both sides, gate and up fused.
static GLM4: &[&[Line]] = &[
    ENDS,
    NORMS,
    ATTENTION,
    &[
        line(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_self_attn_layernorm"),
        line(Role::FfnGateUp, "blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"),
        line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
        line(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_mlp_layernorm"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "glm4",
    families: &["glm4"],
    mark: None,
    class: "Glm4ForCausalLM",
    model_type: "glm4",
    words: &[],
    activation: "silu",
    lines: GLM4,
    keys: &[RMS, &[Key::HeadWidth, Key::RopeDimensions]],
    late_keys: &[],
}];
