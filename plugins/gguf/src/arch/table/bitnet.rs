//! BitNet: linear layers of three values, and a norm in front of the last linear layer of each block.

use super::shared::*;
use super::{Architecture, Mark};
use crate::arch::{Key, Line};
use llmq_plugin_api::wire::Role;

/// llama.cpp takes the embedding for the output head, so there is no head of its own.
static TIED: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
];

/// The extra norms as transformers calls them.
static SUB_NORMS: &[Line] = &[
    line(Role::AttnSubNorm, "blk.{}.attn_sub_norm", "model.layers.{}.self_attn.attn_sub_norm"),
    line(Role::FfnSubNorm, "blk.{}.ffn_sub_norm", "model.layers.{}.mlp.ffn_sub_norm"),
];

/// The extra norms as the first models call them.
static INNER_NORMS: &[Line] = &[
    line(Role::AttnSubNorm, "blk.{}.attn_sub_norm", "model.layers.{}.self_attn.inner_attn_ln"),
    line(Role::FfnSubNorm, "blk.{}.ffn_sub_norm", "model.layers.{}.mlp.ffn_layernorm"),
];

/// The converter's own way to say that the context is not extended.
const UNSCALED: &[Key] =
    &[Key::Word("rope.scaling.type", "linear"), number("rope.scaling.factor", "rope_scaling_factor", 1.0)];

/// The entries. The converter knows only the first models; its keys tell their files apart.
pub(super) static ENTRIES: &[Architecture] = &[
    Architecture {
        name: "bitnet",
        families: &["bitnet"],
        mark: None,
        class: "BitNetForCausalLM",
        model_type: "bitnet",
        words: &[],
        activation: "silu",
        lines: &[TIED, NORMS, ATTENTION, SUB_NORMS, GATED],
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[],
    },
    Architecture {
        name: "bitnet",
        families: &["bitnet_b158"],
        mark: Some(Mark::Key("rope.scaling.factor")),
        class: "BitnetForCausalLM",
        model_type: "bitnet_b158",
        words: &[],
        activation: "silu",
        lines: &[TIED, NORMS, ATTENTION, INNER_NORMS, GATED],
        keys: &[RMS, &[Key::StatedHeadWidth]],
        late_keys: &[UNSCALED],
    },
];
