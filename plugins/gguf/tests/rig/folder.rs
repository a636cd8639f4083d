//! A Hugging Face folder as the backend sees it.

use super::safetensors::{Stored, read_folder};
use llmq_gguf::arch;
use llmq_plugin_api::client::{Source, SourceTensor};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{
    Attention, Hyperparameters, ModelDescription, Role, Rope, RopeScaling, TensorDescription, UnitDescription, UnitKind,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tokenizers::Tokenizer;

pub struct Folder {
    pub description: ModelDescription,
    pub tensors: Vec<Stored>,
    pub files: BTreeMap<String, Vec<u8>>,
    tokenizer: Option<Tokenizer>,
    /// Hide the raw bytes, as for sources that the host has to decode.
    pub opaque: bool,
}

const SIDE_FILES: &[&str] = &[
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
];

impl Folder {
    pub fn open(path: &Path) -> Folder {
        let name = path.file_name().unwrap().to_str().unwrap();
        let config: Value = serde_json::from_slice(&std::fs::read(path.join("config.json")).unwrap()).unwrap();
        let files = SIDE_FILES.iter().filter_map(|f| Some(((*f).to_owned(), std::fs::read(path.join(f)).ok()?)));
        Folder::new(name, config, files.collect(), read_folder(path))
    }

    pub fn new(name: &str, config: Value, files: BTreeMap<String, Vec<u8>>, mut tensors: Vec<Stored>) -> Folder {
        let class = config["architectures"][0].as_str().unwrap().to_owned();
        let family = config["model_type"].as_str().unwrap().to_owned();
        let hyperparameters = hyperparameters(&config);
        let layers = hyperparameters.layers;
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let described: Vec<TensorDescription> = tensors.iter().map(|t| describe(&family, layers, t)).collect();
        let unit = |id: String, kind, layer| UnitDescription { id, kind, layer };
        let mut units = vec![unit("embeddings".into(), UnitKind::Embeddings, None)];
        units.extend((0..layers).map(|layer| unit(format!("layer.{layer}"), UnitKind::Layer, Some(layer))));
        units.push(unit("head".into(), UnitKind::Head, None));
        let dtype = tensors.iter().find(|t| t.shape.len() > 1).map_or("F32", |t| t.dtype.as_str()).to_owned();
        let tokenizer = files.get("tokenizer.json").map(|bytes| Tokenizer::from_bytes(bytes).unwrap());
        let description = ModelDescription {
            name: name.to_owned(),
            architecture: class,
            family,
            generation_config: files
                .get("generation_config.json")
                .map_or(Value::Null, |b| serde_json::from_slice(b).unwrap()),
            config,
            hyperparameters,
            dtype,
            units,
            tensors: described,
            files: files.keys().cloned().collect(),
            smoothing: Vec::new(),
            stored_as: None,
        };
        Folder { description, tensors, files, tokenizer, opaque: false }
    }

    pub fn source_tensor(&self, index: usize) -> SourceTensor<'_> {
        let stored = &self.tensors[index];
        let data = if self.opaque { &[][..] } else { &stored.bytes };
        let dtype = if self.opaque { "F4" } else { &stored.dtype };
        SourceTensor { index: index as u32, name: &stored.name, dtype, shape: &stored.shape, data }
    }
}

fn describe(family: &str, layers: u32, stored: &Stored) -> TensorDescription {
    let (stem, part) = stored.name.rsplit_once('.').unwrap();
    let layer = stem.strip_prefix("model.layers.").map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap());
    let mut lines = arch::by_family(family).into_iter().flat_map(|arch| arch.lines());
    let pattern = layer.map_or(stem.to_owned(), |layer| stem.replacen(&format!("layers.{layer}."), "layers.{}.", 1));
    let role = lines.find(|line| line.hugging_face == pattern).map_or(Role::Other(stem.into()), |l| l.role.clone());
    let unit = match (&role, layer) {
        (_, Some(layer)) => layer + 1,
        (Role::TokenEmbedding, _) => 0,
        _ => layers + 1,
    };
    TensorDescription {
        name: stored.name.clone(),
        role,
        part: part.to_owned(),
        unit,
        layer,
        expert: None,
        head: None,
        dtype: stored.dtype.clone(),
        shape: stored.shape.clone(),
    }
}

fn hyperparameters(config: &Value) -> Hyperparameters {
    let number = |key: &str| config[key].as_u64().map(|n| n as u32);
    let heads = number("num_attention_heads").unwrap();
    let hidden_size = number("hidden_size").unwrap();
    let head_dim = number("head_dim").unwrap_or(hidden_size / heads);
    let rope =
        config.get("rope_parameters").filter(|v| v.is_object()).or(config.get("rope_scaling")).unwrap_or(&Value::Null);
    let theta = config["rope_theta"].as_f64().or(rope["rope_theta"].as_f64()).unwrap_or(10000.0);
    let kind = rope["rope_type"].as_str().or(rope["type"].as_str()).unwrap_or("default");
    let scaling = (kind != "default").then(|| RopeScaling {
        kind: kind.to_owned(),
        factor: rope["factor"].as_f64(),
        original_context_length: rope["original_max_position_embeddings"].as_u64().map(|n| n as u32),
        low_freq_factor: rope["low_freq_factor"].as_f64(),
        high_freq_factor: rope["high_freq_factor"].as_f64(),
        ..RopeScaling::default()
    });
    Hyperparameters {
        layers: number("num_hidden_layers").unwrap(),
        hidden_size,
        intermediate_size: number("intermediate_size").unwrap(),
        vocab_size: number("vocab_size").unwrap(),
        context_length: number("max_position_embeddings").unwrap(),
        attention: Attention {
            heads,
            kv_heads: number("num_key_value_heads").unwrap_or(heads),
            head_dim,
            head_dim_stated: config["head_dim"].is_u64(),
            sliding_window: None,
            windows: Vec::new(),
        },
        rope: Some(Rope { theta, dimensions: head_dim, layout: "half".into(), scaling }),
        sliding_rope: None,
        norm_eps: config["rms_norm_eps"].as_f64().unwrap(),
        norm: "rms".into(),
        activation: "silu".into(),
        tied_embeddings: config["tie_word_embeddings"].as_bool().unwrap_or(false),
        experts: None,
    }
}

impl Source for Folder {
    fn description(&self) -> String {
        llmq_plugin_api::wire::encode(&self.description)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.files.get(name).cloned().ok_or_else(|| Error::new(Kind::Io, format!("there is no {name}")))
    }

    fn tensor(&self, index: u32) -> Result<SourceTensor<'_>, Error> {
        Ok(self.source_tensor(index as usize))
    }

    fn read_rows(&self, index: u32, first_row: u64, out: &mut [f32]) -> Result<(), Error> {
        let stored = &self.tensors[index as usize];
        let first = first_row as usize * *stored.shape.last().unwrap() as usize;
        for (i, value) in out.iter_mut().enumerate() {
            let at = first + i;
            *value = match stored.dtype.as_str() {
                "F32" => f32::from_le_bytes(stored.bytes[at * 4..at * 4 + 4].try_into().unwrap()),
                "F16" => half::f16::from_le_bytes(stored.bytes[at * 2..at * 2 + 2].try_into().unwrap()).to_f32(),
                _ => half::bf16::from_le_bytes(stored.bytes[at * 2..at * 2 + 2].try_into().unwrap()).to_f32(),
            };
        }
        Ok(())
    }

    fn encode_text(&self, text: &str, special: bool) -> Result<Vec<u32>, Error> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(|| Error::new(Kind::Io, "no tokenizer.json"))?;
        let encoding = tokenizer.encode(text, special).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode_tokens(&self, ids: &[u32]) -> Result<String, Error> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(|| Error::new(Kind::Io, "no tokenizer.json"))?;
        tokenizer.decode(ids, false).map_err(|e| Error::new(Kind::Other, e.to_string()))
    }
}
