//! OLMo and EXAONE 4: norms behind the blocks; OLMoE: experts.

use super::shared::*;
use super::{Architecture, Mark};
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

/// Norms in front of the blocks, and experts.
static OLMOE: &[&[Line]] = &[
    ENDS,
    NORMS,
    ATTENTION,
    HEAD_NORMS,
    &[
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"),
        line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{e}.gate_proj"),
        line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{e}.up_proj"),
        line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{e}.down_proj"),
    ],
];

/// The entries.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
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
    },
    Architecture {
        name: "olmo2",
        families: &["olmo3"],
        mark: Some(Mark::Key("attention.sliding_window")),
        class: "Olmo3ForCausalLM",
        model_type: "olmo3",
        words: &[],
        activation: "silu",
        lines: OLMO2,
        keys: &[RMS_WITH_WINDOW, &[Key::StatedHeadWidth]],
        late_keys: &[&[Key::SlidingWindow, Key::WindowPattern { usual: None }]],
    },
    Architecture {
        name: "exaone4",
        families: &["exaone4"],
        mark: None,
        class: "Exaone4ForCausalLM",
        model_type: "exaone4",
        words: &[],
        activation: "silu",
        lines: OLMO2,
        keys: &[RMS_WITH_WINDOW, &[Key::StatedHeadWidth]],
        late_keys: &[&[Key::VocabSize, Key::SlidingWindow, Key::WindowPattern { usual: None }]],
    },
    Architecture {
        name: "olmoe",
        families: &["olmoe"],
        mark: None,
        class: "OlmoeForCausalLM",
        model_type: "olmoe",
        words: &[],
        activation: "silu",
        lines: OLMOE,
        keys: &[RMS, EXPERTS, &[Key::StatedHeadWidth]],
        late_keys: &[],
    },
];
