//! Models that every clone has: the example model, and generated ones.

use super::Folder;
use super::safetensors::Stored;
use half::bf16;
use serde_json::{Value, json};
use std::path::PathBuf;

fn example_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny-model")
}

/// The example model of this repository: Llama, BF16, tied, two layers.
pub fn tiny() -> Folder {
    Folder::open(&example_folder())
}

/// Numbers of a generated Llama.
pub struct Shape {
    pub hidden: u64,
    pub intermediate: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub layers: u64,
}

/// A Llama with rows that no block of 256 (hidden 288) and no block of 32 (intermediate 100) divides.
pub const UNEVEN: Shape = Shape { hidden: 288, intermediate: 100, heads: 6, kv_heads: 3, layers: 3 };

/// A generated Llama with the example model's tokenizer.
pub fn llama(shape: &Shape, dtype: &str, change: impl FnOnce(&mut Value)) -> Folder {
    let tiny = tiny();
    let mut config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 2048,
        "hidden_size": shape.hidden, "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    });
    change(&mut config);
    let kv_rows = shape.hidden / shape.heads * shape.kv_heads;
    let (hidden, inner) = (shape.hidden, shape.intermediate);
    let mut names = vec![
        ("model.embed_tokens.weight".to_owned(), vec![2048, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
        ("lm_head.weight".to_owned(), vec![2048, hidden]),
    ];
    for layer in 0..shape.layers {
        let parts: [(&str, Vec<u64>); 9] = [
            ("input_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![hidden, hidden]),
            ("self_attn.k_proj", vec![kv_rows, hidden]),
            ("self_attn.v_proj", vec![kv_rows, hidden]),
            ("self_attn.o_proj", vec![hidden, hidden]),
            ("post_attention_layernorm", vec![hidden]),
            ("mlp.gate_proj", vec![inner, hidden]),
            ("mlp.up_proj", vec![inner, hidden]),
            ("mlp.down_proj", vec![hidden, inner]),
        ];
        names.extend(parts.into_iter().map(|(part, dims)| (format!("model.layers.{layer}.{part}.weight"), dims)));
    }
    let tensor = |(seed, (name, shape)): (usize, (String, Vec<u64>))| {
        let values = values(seed as u64, shape.iter().product::<u64>() as usize);
        Stored { name, dtype: dtype.to_owned(), bytes: store(dtype, &values), shape }
    };
    let tensors = names.into_iter().enumerate().map(tensor).collect();
    Folder::new("generated", config, tiny.files.clone(), tensors)
}

/// Values as trained weights have them: a sum of four uniform numbers, 0.05 wide, a few larger.
pub fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut one = |i: usize| {
        let bell = next() + next() + next() + next();
        if i.is_multiple_of(97) { bell * 0.4 } else { bell * 0.05 }
    };
    (0..count).map(&mut one).collect()
}

/// Values in a stored format.
pub fn store(dtype: &str, values: &[f32]) -> Vec<u8> {
    match dtype {
        "F32" => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        "F16" => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        "BF16" => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        other => panic!("{other}"),
    }
}
