//! DeepSeek with latent attention: V2, V3 and what is built like them.

use super::shared::*;
use super::{Architecture, Mark};
use crate::arch::{Key, Layout, Line};
use llmq_plugin_api::wire::Role;

static LINES: &[&[Line]] = &[
    ENDS,
    NORMS,
    GATED,
    &[
        line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
        line(Role::AttnQA, "blk.{}.attn_q_a", "model.layers.{}.self_attn.q_a_proj"),
        line(Role::AttnQANorm, "blk.{}.attn_q_a_norm", "model.layers.{}.self_attn.q_a_layernorm"),
        line(Role::AttnQB, "blk.{}.attn_q_b", "model.layers.{}.self_attn.q_b_proj"),
        line(Role::AttnKvA, "blk.{}.attn_kv_a_mqa", "model.layers.{}.self_attn.kv_a_proj_with_mqa"),
        line(Role::AttnKvANorm, "blk.{}.attn_kv_a_norm", "model.layers.{}.self_attn.kv_a_layernorm"),
        arranged(Role::AttnKvB, "blk.{}.attn_k_b", "model.layers.{}.self_attn.kv_b_proj", Layout::LatentKeys),
        arranged(Role::AttnKvB, "blk.{}.attn_v_b", "model.layers.{}.self_attn.kv_b_proj", Layout::LatentValues),
        line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
        line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"),
        bare(
            Role::RouterBias,
            "bias",
            "blk.{}.exp_probs_b",
            "model.layers.{}.mlp.gate.e_score_correction_bias",
            Layout::Plain,
        ),
        line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{e}.gate_proj"),
        line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{e}.up_proj"),
        line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{e}.down_proj"),
        line(Role::SharedExpertGate, "blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_experts.gate_proj"),
        line(Role::SharedExpertUp, "blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_experts.up_proj"),
        line(Role::SharedExpertDown, "blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_experts.down_proj"),
    ],
];

const SIZES: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    // Every head reads the same latent vector.
    Key::Constant("attention.head_count_kv", 1),
    Key::RopeScaling,
    Key::RopeBase,
    Key::RmsEpsilon,
];

/// Both classes have defaults of their own; those of the number of groups and experts are V3's.
const fn entry(version: Version) -> Architecture {
    let Version { family, class, keys, late_keys, mark } = version;
    Architecture {
        name: "deepseek2",
        families: family,
        mark,
        class,
        model_type: family[0],
        words: &[("num_experts", "n_routed_experts")],
        activation: "silu",
        lines: LINES,
        keys,
        late_keys,
    }
}

/// What tells the versions apart.
struct Version {
    family: &'static [&'static str],
    class: &'static str,
    keys: &'static [&'static [Key]],
    late_keys: &'static [&'static [Key]],
    mark: Option<Mark>,
}

/// The entries. All published V2 models have unnormalised expert weights and all V3 models normalised ones.
pub(super) static ENTRIES: &[Architecture] = &[
    entry(Version {
        family: &["deepseek_v2"],
        class: "DeepseekV2ForCausalLM",
        keys: &[
            SIZES,
            EXPERTS,
            &[
                Key::StatedCount { key: "expert_group_count", config: "n_group", default: None },
                Key::StatedCount { key: "expert_group_used_count", config: "topk_group", default: None },
                Key::GatingFunction { default: None },
                Key::LatentCache,
            ],
        ],
        late_keys: &[&[
            count("leading_dense_block_count", "first_k_dense_replace", 0),
            Key::VocabSize,
            Key::LatentWidths,
            Key::ExpertFeedForwardLength,
            count("expert_shared_count", "n_shared_experts", 2),
            number("expert_weights_scale", "routed_scaling_factor", 1.0),
            Key::TrueSwitch { key: "expert_weights_norm", config: "norm_topk_prob", default: false },
            Key::RopeDimensions,
            Key::YarnLogMultiplier,
        ]],
        mark: None,
    }),
    entry(Version {
        family: &["deepseek_v3"],
        class: "DeepseekV3ForCausalLM",
        keys: &[
            SIZES,
            EXPERTS,
            &[
                Key::StatedCount { key: "expert_group_count", config: "n_group", default: Some(8) },
                Key::StatedCount { key: "expert_group_used_count", config: "topk_group", default: Some(4) },
                Key::GatingFunction { default: Some("sigmoid") },
                Key::LatentCache,
            ],
        ],
        late_keys: &[&[
            count("leading_dense_block_count", "first_k_dense_replace", 3),
            Key::VocabSize,
            Key::LatentWidths,
            Key::ExpertFeedForwardLength,
            count("expert_shared_count", "n_shared_experts", 1),
            number("expert_weights_scale", "routed_scaling_factor", 2.5),
            Key::TrueSwitch { key: "expert_weights_norm", config: "norm_topk_prob", default: true },
            Key::RopeDimensions,
            Key::YarnLogMultiplier,
        ]],
        mark: Some(Mark::Key("expert_weights_norm")),
    }),
];
