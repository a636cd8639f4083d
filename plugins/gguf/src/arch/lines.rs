//! Operations of each group of architectures: their role and their two names.

use super::Layout;
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
    /// How GGUF arranges it.
    pub layout: Layout,
    /// Added to every value: norms around 1 that the source stores around 0.
    pub shift: f32,
}

const fn line(role: Role, gguf: &'static str, hugging_face: &'static str) -> Line {
    arranged(role, gguf, hugging_face, Layout::Plain)
}

const fn arranged(role: Role, gguf: &'static str, hugging_face: &'static str, layout: Layout) -> Line {
    Line { role, gguf, hugging_face, layout, shift: 0.0 }
}

const fn plus_one(role: Role, gguf: &'static str, hugging_face: &'static str) -> Line {
    Line { role, gguf, hugging_face, layout: Layout::Plain, shift: 1.0 }
}

/// Every operation that models like Llama have; a model without one of them (norms on queries, biases) is fine.
pub(super) static LLAMA_LIKE: &[Line] = &[
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

/// The same for architectures whose queries and keys llama.cpp rotates by neighbouring rows.
pub(super) static LLAMA: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    arranged(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Layout::QueryNeighbours),
    arranged(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Layout::KeyNeighbours),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// Norms behind the blocks only.
pub(super) static OLMO2: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::AttnQNorm, "blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"),
    line(Role::AttnKNorm, "blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"),
    line(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
    line(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"),
];

/// No gate.
pub(super) static STARCODER2: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.c_fc"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.c_proj"),
];

/// One norm for both blocks, no gate.
pub(super) static PHI2: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.final_layernorm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.dense"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.fc1"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.fc2"),
];

/// Fused matrices stay fused; llama.cpp takes a double `ffn_up`.
pub(super) static PHI3: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQkv, "blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGateUp, "blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// Norms around 1 are stored around 0 by Hugging Face.
pub(super) static GEMMA: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    plus_one(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    plus_one(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    plus_one(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// The same with norms on both sides.
pub(super) static GEMMA2: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    plus_one(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    plus_one(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    plus_one(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
    plus_one(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
    plus_one(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"),
];

/// Llama with stacked experts.
pub(super) static MIXTRAL: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    arranged(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Layout::QueryNeighbours),
    arranged(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Layout::KeyNeighbours),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"),
    line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w1"),
    line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w3"),
    line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w2"),
];

/// Experts beside a shared one, which Qwen3 has not.
pub(super) static QWEN_MOE: &[Line] = &[
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
    line(Role::Router, "blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"),
    line(Role::ExpertGate, "blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{e}.gate_proj"),
    line(Role::ExpertUp, "blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{e}.up_proj"),
    line(Role::ExpertDown, "blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{e}.down_proj"),
    line(Role::SharedExpertGate, "blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_expert.gate_proj"),
    line(Role::SharedExpertUp, "blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_expert.up_proj"),
    line(Role::SharedExpertDown, "blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_expert.down_proj"),
    line(Role::SharedExpertRouter, "blk.{}.ffn_gate_inp_shexp", "model.layers.{}.mlp.shared_expert_gate"),
];

/// Experts that the source stacks, gate and up in one tensor.
pub(super) static GRANITE_MOE: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    arranged(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Layout::QueryNeighbours),
    arranged(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Layout::KeyNeighbours),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
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
];

/// The norm in front of the feed-forward block has another name.
pub(super) static SEED_OSS: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::FfnNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGate, "blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"),
    line(Role::FfnUp, "blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
];

/// Linear layers of the source have inputs as rows.
pub(super) static GPT2: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "transformer.wte"),
    line(Role::PositionEmbedding, "position_embd", "transformer.wpe"),
    line(Role::OutputNorm, "output_norm", "transformer.ln_f"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "transformer.h.{}.ln_1"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn", Layout::Transposed),
    arranged(Role::AttnOutput, "blk.{}.attn_output", "transformer.h.{}.attn.c_proj", Layout::Transposed),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "transformer.h.{}.ln_2"),
    arranged(Role::FfnUp, "blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc", Layout::Transposed),
    arranged(Role::FfnDown, "blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj", Layout::Transposed),
];

/// Query, key and value of a head stand together in the source.
pub(super) static GPT_NEOX: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "gpt_neox.embed_in"),
    line(Role::OutputNorm, "output_norm", "gpt_neox.final_layer_norm"),
    line(Role::OutputHead, "output", "embed_out"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"),
    arranged(Role::AttnQkv, "blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value", Layout::HeadsOfThree),
    line(Role::AttnOutput, "blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"),
    line(Role::FfnUp, "blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"),
    line(Role::FfnDown, "blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"),
];

/// With one key-value head the rows have their order already.
pub(super) static FALCON: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "transformer.word_embeddings"),
    line(Role::OutputNorm, "output_norm", "transformer.ln_f"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "transformer.h.{}.input_layernorm"),
    line(Role::AttnQkv, "blk.{}.attn_qkv", "transformer.h.{}.self_attention.query_key_value"),
    line(Role::AttnOutput, "blk.{}.attn_output", "transformer.h.{}.self_attention.dense"),
    line(Role::FfnUp, "blk.{}.ffn_up", "transformer.h.{}.mlp.dense_h_to_4h"),
    line(Role::FfnDown, "blk.{}.ffn_down", "transformer.h.{}.mlp.dense_4h_to_h"),
];

/// Norms on both sides, gate and up fused.
pub(super) static GLM4: &[Line] = &[
    line(Role::TokenEmbedding, "token_embd", "model.embed_tokens"),
    line(Role::OutputNorm, "output_norm", "model.norm"),
    line(Role::OutputHead, "output", "lm_head"),
    line(Role::AttnNorm, "blk.{}.attn_norm", "model.layers.{}.input_layernorm"),
    line(Role::AttnQ, "blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"),
    line(Role::AttnK, "blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"),
    line(Role::AttnV, "blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"),
    line(Role::AttnOutput, "blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"),
    line(Role::AttnPostNorm, "blk.{}.post_attention_norm", "model.layers.{}.post_self_attn_layernorm"),
    line(Role::FfnNorm, "blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"),
    line(Role::FfnGateUp, "blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"),
    line(Role::FfnDown, "blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"),
    line(Role::FfnPostNorm, "blk.{}.post_ffw_norm", "model.layers.{}.post_mlp_layernorm"),
];
