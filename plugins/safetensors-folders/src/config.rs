//! config.json with what a format says about itself, and which side files are carried along.

use crate::checkpoint::INDEX;
use llmq_plugin_api::wire::ModelDescription;
use serde_json::Value;

/// config.json with the dictionary in it.
pub fn config(description: &ModelDescription, quantization: &Value) -> Vec<u8> {
    let mut config = description.config.clone();
    if let Value::Object(fields) = &mut config {
        fields.shift_remove("compression_config");
        fields.insert("quantization_config".into(), quantization.clone());
    }
    pretty(&config)
}

/// JSON as Hugging Face's tools write it: two spaces, a newline at the end.
pub fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Whether a side file goes along as it is: no weights, and not written anew.
pub fn is_carried(name: &str, anew: &[&str]) -> bool {
    let weights = [".safetensors", ".bin", ".gguf"].iter().any(|ending| name.ends_with(ending));
    !weights && name != "config.json" && name != INDEX && !anew.contains(&name)
}
