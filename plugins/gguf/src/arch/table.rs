//! The entries: which host families an architecture serves, what its tensors are called, which keys it writes.

use super::Key;
use super::lines::*;

/// How GGUF sees a group of model families.
#[derive(Debug)]
pub struct Architecture {
    /// `general.architecture`, also the prefix of its keys.
    pub name: &'static str,
    /// Families of the host that are written as this architecture.
    pub families: &'static [&'static str],
    /// Key (without the prefix) that tells files of this entry from those of other entries with the same name.
    pub mark: Option<&'static str>,
    /// Class that a reader names in the rebuilt config.json.
    pub class: &'static str,
    /// Model type that a reader names in the rebuilt config.json.
    pub model_type: &'static str,
    /// Llama's words of config.json with what the class calls them instead.
    pub words: &'static [(&'static str, &'static str)],
    /// Activation that a reader names in the rebuilt config.json.
    pub activation: &'static str,
    /// Its operations.
    pub lines: &'static [Line],
    /// Keys in front of `general.file_type`, in the converter's order.
    pub keys: &'static [&'static [Key]],
    /// Keys behind it.
    pub late_keys: &'static [&'static [Key]],
}

/// Keys of most architectures with root-mean-square norms.
const RMS: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RopeScaling,
    Key::RopeBase,
    Key::RmsEpsilon,
];

/// The same with layer norms.
const LAYER_NORM: &[Key] = &[
    Key::Layers,
    Key::ContextLength,
    Key::EmbeddingLength,
    Key::FeedForwardLength,
    Key::Heads,
    Key::KvHeads,
    Key::RopeScaling,
    Key::RopeBase,
    Key::LayerNormEpsilon,
];

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

const EXPERTS: &[Key] = &[Key::Experts, Key::ExpertsUsed];

const LLAMA_LATE: &[Key] = &[Key::VocabSize, Key::RopeDimensions];

const GRANITE_SCALES: &[Key] = &[
    number("attention.scale", "attention_multiplier", 1.0),
    number("embedding_scale", "embedding_multiplier", 1.0),
    number("residual_scale", "residual_multiplier", 1.0),
    number("logit_scale", "logits_scaling", 1.0),
];

const fn number(key: &'static str, config: &'static str, default: f64) -> Key {
    Key::Number { key, config, default }
}

const fn count(key: &'static str, config: &'static str, default: u32) -> Key {
    Key::Count { key, config, default }
}

const fn switch(key: &'static str, config: &'static str, default: bool) -> Key {
    Key::Switch { key, config, default }
}

/// All entries.
pub static ALL: &[Architecture] = &[
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
        mark: Some("expert_count"),
        class: "MixtralForCausalLM",
        model_type: "mixtral",
        words: &[("num_experts", "num_local_experts")],
        activation: "silu",
        lines: MIXTRAL,
        keys: &[RMS, EXPERTS, &[Key::StatedHeadWidth]],
        late_keys: &[LLAMA_LATE],
    },
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
        name: "stablelm",
        families: &["stablelm"],
        mark: None,
        class: "StableLmForCausalLM",
        model_type: "stablelm",
        words: &[("rms_norm_eps", "layer_norm_eps")],
        activation: "silu",
        lines: LLAMA_LIKE,
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
        name: "phi2",
        families: &["phi"],
        mark: None,
        class: "PhiForCausalLM",
        model_type: "phi",
        words: &[("rms_norm_eps", "layer_norm_eps")],
        activation: "gelu_new",
        lines: PHI2,
        keys: &[&[
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::LayerNormEpsilon,
            Key::RopeDimensions,
        ]],
        late_keys: &[&[Key::AddBos]],
    },
    Architecture {
        name: "phi3",
        families: &["phi3"],
        mark: None,
        class: "Phi3ForCausalLM",
        model_type: "phi3",
        words: &[],
        activation: "silu",
        lines: PHI3,
        keys: &[&[
            Key::ContextLength,
            count("rope.scaling.original_context_length", "original_max_position_embeddings", 4096),
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::RmsEpsilon,
            Key::RopeDimensions,
            Key::RopeBase,
            Key::LongRopeFactor,
        ]],
        late_keys: &[&[count("attention.sliding_window", "sliding_window", 0)]],
    },
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
    Architecture {
        name: "gpt2",
        families: &["gpt2"],
        mark: None,
        class: "GPT2LMHeadModel",
        model_type: "gpt2",
        words: &[
            ("hidden_size", "n_embd"),
            ("num_hidden_layers", "n_layer"),
            ("num_attention_heads", "n_head"),
            ("intermediate_size", "n_inner"),
            ("max_position_embeddings", "n_positions"),
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("hidden_act", "activation_function"),
        ],
        activation: "gelu_new",
        lines: GPT2,
        keys: &[&[
            Key::Layers,
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Heads,
            Key::LayerNormEpsilon,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "gptneox",
        families: &["gpt_neox"],
        mark: None,
        class: "GPTNeoXForCausalLM",
        model_type: "gpt_neox",
        words: &[
            ("rms_norm_eps", "layer_norm_eps"),
            ("rope_theta", "rotary_emb_base"),
            ("partial_rotary_factor", "rotary_pct"),
        ],
        activation: "gelu",
        lines: GPT_NEOX,
        keys: &[&[
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::Layers,
            Key::FeedForwardLength,
            Key::RopeDimensions,
            Key::Heads,
            switch("use_parallel_residual", "use_parallel_residual", true),
            Key::LayerNormEpsilon,
            Key::RopeBase,
        ]],
        late_keys: &[],
    },
    Architecture {
        name: "falcon",
        families: &["falcon"],
        mark: None,
        class: "FalconForCausalLM",
        model_type: "falcon",
        words: &[
            ("rms_norm_eps", "layer_norm_epsilon"),
            ("intermediate_size", "ffn_hidden_size"),
            ("hidden_act", "activation"),
        ],
        activation: "gelu",
        lines: FALCON,
        keys: &[&[
            Key::ContextLength,
            Key::Word("tensor_data_layout", "jploski"),
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Layers,
            Key::Heads,
            Key::KvHeads,
            Key::LayerNormEpsilon,
        ]],
        late_keys: &[],
    },
    Architecture {
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
    },
];

impl Architecture {
    /// Whether llama.cpp is told of a sliding window.
    pub fn has_window(&self) -> bool {
        self.keys
            .iter()
            .chain(self.late_keys)
            .copied()
            .flatten()
            .any(|key| matches!(key, Key::SlidingWindow | Key::Count { key: "attention.sliding_window", .. }))
    }
}

/// The architecture that a family of the host is written as.
pub fn by_family(family: &str) -> Option<&'static Architecture> {
    ALL.iter().find(|arch| arch.families.contains(&family))
}

/// The architecture of a `general.architecture` value; `has` answers whether the file has a key of the architecture.
pub fn by_name(name: &str, has: impl Fn(&str) -> bool) -> Option<&'static Architecture> {
    let named = || ALL.iter().filter(|arch| arch.name == name);
    let marked = named().find(|arch| arch.mark.is_some_and(&has));
    marked.or_else(|| named().find(|arch| arch.mark.is_none()))
}

/// Every family that can be written.
pub fn families() -> Vec<String> {
    ALL.iter().flat_map(|arch| arch.families).map(|family| (*family).to_owned()).collect()
}
