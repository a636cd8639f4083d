//! The description of a made-up Llama, as the host would make it of a folder.

use super::Sizes;
use crate::network::smoothing;
use llmq_plugin_api::wire::{
    Attention, Hyperparameters, ModelDescription, Role, Rope, TensorDescription, UnitDescription, UnitKind,
};
use serde_json::json;

/// Describes a model; `vocab` is the tokenizer's size.
pub fn describe(name: &str, sizes: Sizes, vocab: u32) -> ModelDescription {
    let mut units = vec![UnitDescription { id: "embeddings".into(), kind: UnitKind::Embeddings, layer: None }];
    for layer in 0..sizes.layers {
        units.push(UnitDescription { id: format!("layer.{layer}"), kind: UnitKind::Layer, layer: Some(layer) });
    }
    units.push(UnitDescription { id: "head".into(), kind: UnitKind::Head, layer: None });
    let last = sizes.vocab_row(vocab);
    let mut description = ModelDescription {
        name: format!("specimen-{name}"),
        architecture: "LlamaForCausalLM".into(),
        family: "llama".into(),
        config: json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": false,
            "mlp_bias": false,
            "bos_token_id": last,
            "eos_token_id": last,
            "hidden_act": "silu",
            "hidden_size": sizes.hidden,
            "intermediate_size": sizes.intermediate,
            "max_position_embeddings": 256,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.kv_heads,
            "num_hidden_layers": sizes.layers,
            "head_dim": sizes.head_dim,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "rope_scaling": null,
            "tie_word_embeddings": sizes.tied,
            "torch_dtype": torch_dtype(sizes.dtype),
            "vocab_size": vocab,
        }),
        generation_config: serde_json::Value::Null,
        hyperparameters: Hyperparameters {
            layers: sizes.layers,
            hidden_size: sizes.hidden,
            intermediate_size: sizes.intermediate,
            vocab_size: vocab,
            context_length: 256,
            attention: Attention {
                heads: sizes.heads,
                kv_heads: sizes.kv_heads,
                head_dim: sizes.head_dim,
                head_dim_stated: true,
                sliding_window: None,
                windows: vec![None; sizes.layers as usize],
            },
            rope: Some(Rope { theta: 10000.0, dimensions: sizes.head_dim, layout: "half".into(), scaling: None }),
            sliding_rope: None,
            norm_eps: 1e-5,
            norm: "rms".into(),
            activation: "silu".into(),
            tied_embeddings: sizes.tied,
            experts: None,
        },
        dtype: sizes.dtype.into(),
        units,
        tensors: tensors(sizes, vocab),
        files: Vec::new(),
        smoothing: Vec::new(),
        stored_as: None,
    };
    // As the host finds them for a folder.
    description.smoothing = smoothing(&description);
    description
}

impl Sizes {
    fn vocab_row(self, vocab: u32) -> u32 {
        vocab.saturating_sub(1)
    }
}

fn torch_dtype(dtype: &str) -> &'static str {
    match dtype {
        "BF16" => "bfloat16",
        "F16" => "float16",
        _ => "float32",
    }
}

fn tensors(sizes: Sizes, vocab: u32) -> Vec<TensorDescription> {
    let (hidden, inner) = (u64::from(sizes.hidden), u64::from(sizes.intermediate));
    let (queries, keys) = (u64::from(sizes.heads * sizes.head_dim), u64::from(sizes.kv_heads * sizes.head_dim));
    let tensor = |name: String, role: Role, unit: u32, layer: Option<u32>, shape: Vec<u64>| TensorDescription {
        dtype: if role.is_norm() { "F32" } else { sizes.dtype }.into(),
        part: "weight".into(),
        name: format!("{name}.weight"),
        expert: None,
        head: None,
        role,
        unit,
        layer,
        shape,
    };
    let table = vec![u64::from(vocab), hidden];
    let mut all = vec![tensor("model.embed_tokens".into(), Role::TokenEmbedding, 0, None, table.clone())];
    for layer in 0..sizes.layers {
        let parts = [
            ("input_layernorm", Role::AttnNorm, vec![hidden]),
            ("self_attn.q_proj", Role::AttnQ, vec![queries, hidden]),
            ("self_attn.k_proj", Role::AttnK, vec![keys, hidden]),
            ("self_attn.v_proj", Role::AttnV, vec![keys, hidden]),
            ("self_attn.o_proj", Role::AttnOutput, vec![hidden, queries]),
            ("post_attention_layernorm", Role::FfnNorm, vec![hidden]),
            ("mlp.gate_proj", Role::FfnGate, vec![inner, hidden]),
            ("mlp.up_proj", Role::FfnUp, vec![inner, hidden]),
            ("mlp.down_proj", Role::FfnDown, vec![hidden, inner]),
        ];
        for (name, role, shape) in parts {
            all.push(tensor(format!("model.layers.{layer}.{name}"), role, layer + 1, Some(layer), shape));
        }
    }
    let head = sizes.layers + 1;
    all.push(tensor("model.norm".into(), Role::OutputNorm, head, None, vec![hidden]));
    if !sizes.tied {
        all.push(tensor("lm_head".into(), Role::OutputHead, head, None, table));
    }
    all
}
