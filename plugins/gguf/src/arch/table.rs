//! The entries: which host families an architecture serves, what its tensors are called, which keys it writes.

use super::Key;
use llmq_plugin_api::wire::Role;

/// One operation of an architecture under its two names; `{}` stands for the layer number.
#[derive(Debug)]
pub struct Line {
    /// What it is.
    pub role: Role,
    /// GGUF name without `.weight` or `.bias`.
    pub gguf: &'static str,
    /// Hugging Face name without `.weight` or `.bias`.
    pub hugging_face: &'static str,
}

/// How GGUF sees a group of model families.
#[derive(Debug)]
pub struct Architecture {
    /// `general.architecture`, also the prefix of its keys.
    pub name: &'static str,
    /// Families of the host that are written as this architecture.
    pub families: &'static [&'static str],
    /// Class that a reader names in the rebuilt config.json.
    pub class: &'static str,
    /// Model type that a reader names in the rebuilt config.json.
    pub model_type: &'static str,
    /// Its operations.
    pub lines: &'static [Line],
    /// llama.cpp rotates neighbouring rows of queries and keys where Hugging Face rotates halves, so the rows of every
    /// head change places.
    pub rotates_neighbours: bool,
    /// Keys in front of `general.file_type`, in the converter's order.
    pub keys: &'static [Key],
    /// Keys behind it.
    pub late_keys: &'static [Key],
}

const fn line(role: Role, gguf: &'static str, hugging_face: &'static str) -> Line {
    Line { role, gguf, hugging_face }
}

/// Every operation that Llama-like models have; a model without one of them (norms on queries, biases) is fine.
static LLAMA_LIKE: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::AttnQNorm, "blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"),
    line(Role::AttnKNorm, "blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// All entries.
pub static ALL: &[Architecture] = &[
    Architecture {
        name: "llama",
        families: &["llama", "mistral"],
        class: "LlamaForCausalLM",
        model_type: "llama",
        lines: LLAMA_LIKE,
        rotates_neighbours: true,
        keys: &[
            Key::Layers,
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Heads,
            Key::KvHeads,
            Key::RopeScaling,
            Key::RopeBase,
            Key::RmsEpsilon,
            Key::HeadWidth,
        ],
        late_keys: &[Key::VocabSize, Key::RopeDimensions],
    },
    Architecture {
        name: "qwen2",
        families: &["qwen2"],
        class: "Qwen2ForCausalLM",
        model_type: "qwen2",
        lines: LLAMA_LIKE,
        rotates_neighbours: false,
        keys: &[
            Key::Layers,
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Heads,
            Key::KvHeads,
            Key::RopeScaling,
            Key::RopeBase,
            Key::RmsEpsilon,
            Key::StatedHeadWidth,
        ],
        late_keys: &[],
    },
    Architecture {
        name: "qwen3",
        families: &["qwen3"],
        class: "Qwen3ForCausalLM",
        model_type: "qwen3",
        lines: LLAMA_LIKE,
        rotates_neighbours: false,
        keys: &[
            Key::Layers,
            Key::ContextLength,
            Key::EmbeddingLength,
            Key::FeedForwardLength,
            Key::Heads,
            Key::KvHeads,
            Key::RopeScaling,
            Key::RopeBase,
            Key::RmsEpsilon,
            Key::HeadWidth,
        ],
        late_keys: &[],
    },
];

/// The architecture that a family of the host is written as.
pub fn by_family(family: &str) -> Option<&'static Architecture> {
    ALL.iter().find(|arch| arch.families.contains(&family))
}

/// The architecture of a `general.architecture` value.
pub fn by_name(name: &str) -> Option<&'static Architecture> {
    ALL.iter().find(|arch| arch.name == name)
}

/// Every family that can be written.
pub fn families() -> Vec<String> {
    ALL.iter().flat_map(|arch| arch.families).map(|family| (*family).to_owned()).collect()
}
