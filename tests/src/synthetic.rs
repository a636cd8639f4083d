//! Synthetic Llama models of any size as Hugging Face folders, for kill tests and benchmarks.
//!
//! Weights are BF16 roundings of a sum of four uniforms (bell-shaped), scaled like trained weights; no two runs differ.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Shape of the model. Hidden size must be a multiple of heads.
pub struct Shape {
    /// Decoder layers.
    pub layers: u64,
    /// Residual width.
    pub hidden: u64,
    /// Feed-forward width.
    pub ffn: u64,
    /// Query heads.
    pub heads: u64,
    /// Key-value heads.
    pub kv_heads: u64,
    /// Embedding rows.
    pub vocab: u64,
}

impl Shape {
    /// TinyLlama's: 1.1 G weights, 2.2 GB.
    pub const TINY_LLAMA: Shape = Shape { layers: 22, hidden: 2048, ffn: 5632, heads: 32, kv_heads: 4, vocab: 32000 };
}

fn tensors(s: &Shape) -> Vec<(String, Vec<u64>)> {
    let kv = s.hidden / s.heads * s.kv_heads;
    let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![s.vocab, s.hidden])];
    for layer in 0..s.layers {
        let mut add =
            |name: &str, dims: &[u64]| all.push((format!("model.layers.{layer}.{name}.weight"), dims.to_vec()));
        add("input_layernorm", &[s.hidden]);
        add("self_attn.q_proj", &[s.hidden, s.hidden]);
        add("self_attn.k_proj", &[kv, s.hidden]);
        add("self_attn.v_proj", &[kv, s.hidden]);
        add("self_attn.o_proj", &[s.hidden, s.hidden]);
        add("post_attention_layernorm", &[s.hidden]);
        add("mlp.gate_proj", &[s.ffn, s.hidden]);
        add("mlp.up_proj", &[s.ffn, s.hidden]);
        add("mlp.down_proj", &[s.hidden, s.ffn]);
    }
    all.push(("model.norm.weight".to_owned(), vec![s.hidden]));
    all.push(("lm_head.weight".to_owned(), vec![s.vocab, s.hidden]));
    all
}

/// Writes the folder. With `sparse` the weight bytes are a hole (zeros), so shapes larger than the disk are possible.
pub fn write_model(out: &Path, shape: &Shape, sparse: bool) -> std::io::Result<()> {
    std::fs::create_dir_all(out)?;
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "hidden_size": shape.hidden, "intermediate_size": shape.ffn, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocab,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
    });
    std::fs::write(out.join("config.json"), serde_json::to_vec_pretty(&config)?)?;
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(crate::repository::tiny_model().join(file), out.join(file))?;
    }
    let (mut header, mut offset) = (serde_json::Map::new(), 0u64);
    let list = tensors(shape);
    for (name, dims) in &list {
        let bytes = dims.iter().product::<u64>() * 2;
        let entry: Value = json!({ "dtype": "BF16", "shape": dims, "data_offsets": [offset, offset + bytes] });
        header.insert(name.clone(), entry);
        offset += bytes;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let file = File::create(out.join("model.safetensors"))?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(&header)?;
    if sparse {
        writer.flush()?;
        return writer.get_ref().set_len(8 + header.len() as u64 + offset);
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for (_, dims) in &list {
        let elements = dims.iter().product::<u64>();
        let norm = dims.len() == 1;
        for _ in 0..elements {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let sum = (0..4).map(|i| ((state >> (16 * i)) & 0xffff) as f32).sum::<f32>() / 65536.0 - 2.0;
            let value = if norm { 1.0 + sum * 0.05 } else { sum * 0.035 };
            writer.write_all(&((value.to_bits() >> 16) as u16).to_le_bytes())?;
        }
    }
    writer.flush()
}
