//! A builder of small model folders: whole ones, and ones damaged in exactly one way.

#![allow(dead_code, reason = "every test file uses its own part")]

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One tensor to be written.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub dtype: &'static str,
    pub shape: Vec<u64>,
    pub bytes: Vec<u8>,
}

/// A model in the making: change its parts, then write it.
#[derive(Debug, Clone)]
pub struct Folder {
    pub config: Value,
    pub tensors: BTreeMap<String, Tensor>,
    pub files: BTreeMap<String, Vec<u8>>,
}

pub fn llama_config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 12, "hidden_size": 8,
        "intermediate_size": 6, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": false, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": [1, 2]
    })
}

/// A tensor of F32 numbers 0, 1/8, 2/8, ... from a start that depends on the name.
pub fn ramp(name: &str, shape: &[u64]) -> Tensor {
    let start = name.bytes().map(u32::from).sum::<u32>() % 64;
    let count = shape.iter().product::<u64>() as u32;
    let bytes = (start..start + count).flat_map(|i| (i as f32 / 8.0).to_le_bytes()).collect();
    Tensor { dtype: "F32", shape: shape.to_vec(), bytes }
}

impl Folder {
    /// A whole Llama of two layers: hidden 8, 4 heads (2 for keys and values), inner width 6, vocabulary 12.
    pub fn llama() -> Folder {
        let mut shapes: Vec<(String, Vec<u64>)> = vec![
            ("model.embed_tokens.weight".into(), vec![12, 8]),
            ("model.norm.weight".into(), vec![8]),
            ("lm_head.weight".into(), vec![12, 8]),
        ];
        for layer in 0..2 {
            for (name, shape) in [
                ("input_layernorm", vec![8]),
                ("self_attn.q_proj", vec![8, 8]),
                ("self_attn.k_proj", vec![4, 8]),
                ("self_attn.v_proj", vec![4, 8]),
                ("self_attn.o_proj", vec![8, 8]),
                ("post_attention_layernorm", vec![8]),
                ("mlp.gate_proj", vec![6, 8]),
                ("mlp.up_proj", vec![6, 8]),
                ("mlp.down_proj", vec![8, 6]),
            ] {
                shapes.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
        }
        let tensors = shapes.into_iter().map(|(name, shape)| (name.clone(), ramp(&name, &shape))).collect();
        Folder { config: llama_config(), tensors, files: BTreeMap::new() }
    }

    pub fn set(mut self, key: &str, value: Value) -> Folder {
        self.config[key] = value;
        self
    }

    pub fn unset(mut self, key: &str) -> Folder {
        self.config.as_object_mut().unwrap().remove(key);
        self
    }

    pub fn with(mut self, name: &str, shape: &[u64]) -> Folder {
        self.tensors.insert(name.into(), ramp(name, shape));
        self
    }

    pub fn without(mut self, name: &str) -> Folder {
        self.tensors.remove(name).expect("a tensor that is there");
        self
    }

    pub fn file(mut self, name: &str, bytes: &[u8]) -> Folder {
        self.files.insert(name.into(), bytes.to_vec());
        self
    }

    /// Writes config.json and side files, without weights.
    pub fn write_small_files(&self, folder: &Path) {
        std::fs::write(folder.join("config.json"), serde_json::to_vec_pretty(&self.config).unwrap()).unwrap();
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Writes the whole model with one weight file.
    pub fn write(&self, folder: &Path) {
        self.write_small_files(folder);
        let all: Vec<_> = self.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        std::fs::write(folder.join("model.safetensors"), safetensors_bytes(&all)).unwrap();
    }

    /// Writes the whole model as `count` shards with an index.
    pub fn write_sharded(&self, folder: &Path, count: usize) {
        self.write_small_files(folder);
        let all: Vec<_> = self.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let mut map = Map::new();
        for (number, part) in all.chunks(all.len().div_ceil(count)).enumerate() {
            let name = format!("model-{:05}-of-{count:05}.safetensors", number + 1);
            std::fs::write(folder.join(&name), safetensors_bytes(part)).unwrap();
            map.extend(part.iter().map(|(tensor, _)| (tensor.to_string(), json!(name))));
        }
        let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
        std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    }
}

/// A safetensors file of tensors in the given order.
pub fn safetensors_bytes(tensors: &[(&str, &Tensor)]) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        let begin = data.len();
        data.extend_from_slice(&tensor.bytes);
        let entry = json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, data.len()]});
        header.insert(name.to_string(), entry);
    }
    with_header(&Value::Object(header).to_string(), &data)
}

/// A safetensors file with any text as its header.
pub fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// The model committed with the examples.
pub fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny-model")
}

/// A folder of further test models named by `LLMQ_SHARED`, or `None` with a word that no capture of output hides.
pub fn shared_models(test: &str) -> Option<PathBuf> {
    if let Some(root) = std::env::var_os("LLMQ_SHARED") {
        return Some(Path::new(&root).join("models"));
    }
    let skipped = format!("SKIPPED {test}: LLMQ_SHARED does not name a folder with test models\n");
    std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    None
}
