//! The golden models and what the reference converter wrote for them.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use llmq_gguf::metadata::Parameters;
use llmq_gguf::value::{Array, KeyValue, Value};
use llmq_gguf::vocab::{self, Scores, TokenizerFiles, Vocab, VocabError, VocabInputs};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

/// The folder of golden files.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// One golden model.
pub struct Model {
    pub name: String,
    pub tokenizer: PathBuf,
    pub config: Json,
    pub parameters: Parameters,
    /// (key, type, value) in file order.
    pub expected: Vec<(String, Json, Json)>,
}

/// All golden models.
pub fn models() -> Vec<Model> {
    let text = std::fs::read_to_string(golden().join("models.json")).unwrap();
    let models: Vec<Json> = serde_json::from_str(&text).unwrap();
    models.iter().map(model).collect()
}

fn model(json: &Json) -> Model {
    let count = |key: &str| json["parameters"][key].as_u64().unwrap();
    let metadata = json["metadata"].as_object().unwrap();
    Model {
        name: json["name"].as_str().unwrap().to_owned(),
        tokenizer: golden().join("tokenizers").join(json["tokenizer"].as_str().unwrap()),
        config: json["config"].clone(),
        parameters: Parameters {
            total: count("total"),
            shared: count("shared"),
            expert: count("expert"),
            expert_count: count("expert_count"),
        },
        expected: metadata.iter().map(|(key, v)| (key.clone(), v["type"].clone(), v["value"].clone())).collect(),
    }
}

/// The files of a tokenizer folder, owned.
#[derive(Default)]
pub struct Folder {
    pub tokenizer_json: Option<Vec<u8>>,
    pub tokenizer_model: Option<Vec<u8>>,
    pub tokenizer_config: Option<Vec<u8>>,
    pub special_tokens_map: Option<Vec<u8>>,
    pub added_tokens: Option<Vec<u8>>,
}

impl Folder {
    pub fn read(path: &Path) -> Self {
        let read = |name: &str| std::fs::read(path.join(name)).ok();
        Self {
            tokenizer_json: read("tokenizer.json"),
            tokenizer_model: read("tokenizer.model"),
            tokenizer_config: read("tokenizer_config.json"),
            special_tokens_map: read("special_tokens_map.json"),
            added_tokens: read("added_tokens.json"),
        }
    }

    pub fn files(&self) -> TokenizerFiles<'_> {
        TokenizerFiles {
            tokenizer_json: self.tokenizer_json.as_deref(),
            tokenizer_model: self.tokenizer_model.as_deref(),
            tokenizer_config: self.tokenizer_config.as_deref(),
            special_tokens_map: self.special_tokens_map.as_deref(),
            added_tokens: self.added_tokens.as_deref(),
            ..TokenizerFiles::default()
        }
    }

    /// Builds with the real `tokenizers` crate behind the two closures.
    pub fn build(&self, config: &Json, pre: Option<&str>, scores: Scores) -> Result<Vocab, VocabError> {
        let tokenizer = self.tokenizer_json.as_deref().and_then(|bytes| Tokenizer::from_bytes(bytes).ok());
        let missing = || "no tokenizer.json".to_owned();
        let encode = |text: &str, special: bool| {
            let tokenizer = tokenizer.as_ref().ok_or_else(missing)?;
            let encoding = tokenizer.encode(text, special).map_err(|error| error.to_string())?;
            Ok(encoding.get_ids().to_vec())
        };
        let decode =
            |ids: &[u32]| tokenizer.as_ref().ok_or_else(missing)?.decode(ids, false).map_err(|error| error.to_string());
        let inputs = VocabInputs {
            files: self.files(),
            class: config["architectures"][0].as_str().unwrap_or_default(),
            config,
            vocab_size: config["vocab_size"].as_u64(),
            pre,
            encode: &encode,
            decode: &decode,
        };
        vocab::build_with(&inputs, scores)
    }
}

/// A line as the golden file writes it: (key, type, value).
pub fn shown(line: &KeyValue) -> (String, Json, Json) {
    let (kind, value) = match &line.value {
        Value::U32(value) => (json!("UINT32"), json!(value)),
        Value::I32(value) => (json!("INT32"), json!(value)),
        Value::F32(value) => (json!("FLOAT32"), json!(value)),
        Value::Bool(value) => (json!("BOOL"), json!(value)),
        Value::String(value) => (json!("STRING"), json!(value)),
        Value::Array(array) => {
            let (kind, items) = array_items(array);
            let first: Vec<_> = items.iter().take(8).cloned().collect();
            (json!(["ARRAY", kind]), json!({"len": items.len(), "sha256": python_sha256(&items), "first": first}))
        }
        other => panic!("{}: no golden file has a {other:?}", line.key),
    };
    (line.key.clone(), kind, value)
}

fn array_items(array: &Array) -> (&'static str, Vec<Json>) {
    match array {
        Array::String(texts) => {
            ("STRING", texts.iter().map(|text| json!(std::str::from_utf8(text).unwrap())).collect())
        }
        Array::I32(values) => ("INT32", values.iter().map(|value| json!(value)).collect()),
        Array::F32(values) => ("FLOAT32", values.iter().map(|value| json!(f64::from(*value))).collect()),
        other => panic!("no golden file has an array of type {}", other.element_type_id()),
    }
}

/// sha256 of what Python's `json.dumps(items, ensure_ascii=False)` prints: a space behind each comma.
fn python_sha256(items: &[Json]) -> String {
    let body = items.iter().map(|item| serde_json::to_string(item).unwrap()).collect::<Vec<_>>().join(", ");
    Sha256::digest(format!("[{body}]")).iter().map(|byte| format!("{byte:02x}")).collect()
}
