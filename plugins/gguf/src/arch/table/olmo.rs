//! OLMo: norms behind the blocks.

use super::Architecture;
use super::shared::*;
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// Norms behind the blocks only.
static OLMO2: &[&[Line]] = &[
    ENDS,
    ATTENTION,
    HEAD_NORMS,
    GATED,
    &[
        line(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
        line(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[Architecture {
    name: "olmo2",
    families: &["olmo2"],
    mark: None,
    class: "Olmo2ForCausalLM",
    model_type: "olmo2",
    words: &[],
    activation: "silu",
    lines: OLMO2,
    keys: &[RMS, &[Key::StatedHeadWidth]],
    late_keys: &[],
}];
