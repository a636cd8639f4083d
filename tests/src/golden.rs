//! Committed answers of the reference: tensor hashes per level, token ids, logits.

use crate::{gguf_file::GgufFile, repository};
use serde_json::Value;
use std::path::PathBuf;

/// The 14 levels of the specification, smallest first.
pub const LEVELS: [&str; 14] = [
    "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q5_0", "Q5_1", "Q5_K_S", "Q5_K_M",
    "Q6_K", "Q8_0",
];

/// Models whose reference results are committed.
pub const MODELS: [&str; 9] =
    ["tiny-model", "mistral", "qwen2", "qwen3", "llama-rope-llama3", "gemma2", "gpt2", "mixtral", "phi2"];

/// Folder of a model of [`MODELS`].
pub fn model(name: &str) -> PathBuf {
    match name {
        "tiny-model" => repository::tiny_model(),
        other => repository::root().join("tests/models").join(other),
    }
}

/// Path of a file in `tests/golden`.
pub fn path(name: &str) -> PathBuf {
    repository::root().join("tests/golden").join(name)
}

/// A JSON file of `tests/golden`.
pub fn json(name: &str) -> Value {
    let text = std::fs::read(path(name)).unwrap_or_else(|e| panic!("tests/golden/{name}: {e}"));
    serde_json::from_slice(&text).expect("JSON")
}

/// The unquantized level that keeps a model's own precision, which is what the reference's first step writes.
pub fn own_precision(model: &str) -> &'static str {
    if json(&format!("{model}.json"))["F16"].is_object() { "F16" } else { "BF16" }
}

/// Insists that a file's tensors have the reference's types, bytes and order at a level.
pub fn assert_tensors(model: &str, level: &str, file: &GgufFile) {
    let golden = json(&format!("{model}.json"));
    let (tensors, order) = match &golden["levels"][level] {
        Value::Null => (&golden[level], None),
        entry => (&entry["tensors"], entry["order"].as_array()),
    };
    let tensors = tensors.as_object().unwrap_or_else(|| panic!("{model} has a golden {level}"));
    let found = file.hashes();
    assert_eq!(found.len(), tensors.len(), "{model} {level}: number of tensors");
    for (name, entry) in tensors {
        assert_eq!(found.get(name).map(String::as_str), entry[1].as_str(), "{model} {level}: bytes of {name}");
    }
    if let Some(order) = order {
        let stored: Vec<_> = file.tensors.iter().map(|t| Value::from(t.name.as_str())).collect();
        assert_eq!(&stored, order, "{model} {level}: order");
    }
}
