//! What `quantization_config` says of the weights, as far as rows can be read from them.

use super::ModelError;
use super::config::NESTED;
use serde_json::{Map, Value};

/// How the weights of a checkpoint are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// As plain numbers.
    Plain,
    /// Linear layers as 8-bit floats with scales; blocks of this many rows and columns, if they are stated.
    Float8 { block: Option<[u64; 2]> },
    /// Linear layers as packed weights of three values, divided by their scale or multiplied with it.
    Ternary { divides: bool },
    /// Experts as blocks of 4-bit floats.
    Mxfp4,
    /// Linear layers as numbers that the model rounds to three values.
    TernaryMasters,
}

/// Keys of config.json that declare a quantized checkpoint.
const KEYS: [&str; 2] = ["quantization_config", "compression_config"];

impl Scheme {
    /// config.json as it is once the weights are plain numbers: without the declaration.
    pub fn settled(self, mut config: Value) -> Value {
        if self != Scheme::Plain {
            let nested = NESTED.iter().map(|key| format!("/{key}"));
            for place in nested.chain([String::new()]) {
                if let Some(Value::Object(object)) = config.pointer_mut(&place) {
                    KEYS.iter().for_each(|key| drop(object.remove(*key)));
                }
            }
        }
        config
    }
}

/// Reads `quantization_config` of a language model's config.
pub fn scheme(config: &Map<String, Value>) -> Result<Scheme, ModelError> {
    let declared = KEYS.into_iter().find_map(|key| config.get(key));
    let Some(declared) = declared.filter(|declared| !declared.is_null()) else {
        // The first BitNet models: their own code rounds, config.json does not say so.
        let class = config.get("architectures").and_then(|classes| classes.get(0)?.as_str());
        return Ok(if class == Some("BitnetForCausalLM") { Scheme::TernaryMasters } else { Scheme::Plain });
    };
    let word = |key: &str| declared.get(key).and_then(Value::as_str);
    let method = word("quant_method").or(word("method")).unwrap_or("unknown");
    let unreadable = |detail: Option<&str>| ModelError::AlreadyQuantized {
        method: detail.map_or_else(|| method.to_owned(), |detail| format!("{method} ({detail})")),
    };
    match method {
        "fp8" => Ok(Scheme::Float8 { block: block(declared, "weight_block_size")? }),
        "mxfp4" => Ok(Scheme::Mxfp4),
        "fbgemm_fp8" => Ok(Scheme::Float8 { block: None }),
        "modelopt" => match word("quant_algo") {
            Some("FP8") => Ok(Scheme::Float8 { block: None }),
            other => Err(unreadable(other)),
        },
        "compressed-tensors" => match word("format") {
            Some("float-quantized" | "naive-quantized") => {
                compressed_float8(declared).ok_or_else(|| unreadable(Some("not 8-bit floats alone")))
            }
            other => Err(unreadable(other)),
        },
        "bitnet" if word("quantization_mode") == Some("online") => Ok(Scheme::TernaryMasters),
        "bitnet" => Ok(Scheme::Ternary { divides: word("linear_class") != Some("autobitlinear") }),
        _ => Err(unreadable(None)),
    }
}

/// `[rows, columns]`, or nothing where the key is absent or null.
fn block(config: &Value, key: &str) -> Result<Option<[u64; 2]>, ModelError> {
    let Some(value) = config.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let numbers: Option<Vec<u64>> = value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
    match numbers.as_deref() {
        Some(&[rows, columns]) if rows > 0 && columns > 0 && rows <= 1 << 32 && columns <= 1 << 32 => {
            Ok(Some([rows, columns]))
        }
        _ => Err(ModelError::Config {
            key: format!("quantization_config.{key}"),
            value: value.to_string().chars().take(100).collect(),
            expected: "two whole numbers from 1 on".to_owned(),
        }),
    }
}

/// Every group of layers holds symmetric 8-bit floats, and all agree on their blocks.
fn compressed_float8(config: &Value) -> Option<Scheme> {
    let mut found = None;
    for group in config.get("config_groups")?.as_object()?.values() {
        let weights = group.get("weights")?;
        let is = |key: &str, word: &str| weights.get(key).and_then(Value::as_str) == Some(word);
        let float8 = is("type", "float") && weights.get("num_bits").and_then(Value::as_u64) == Some(8);
        let symmetric = weights.get("symmetric").and_then(Value::as_bool).unwrap_or(true);
        let block = if is("strategy", "block") { block(weights, "block_structure").ok()? } else { None };
        if !float8 || !symmetric || found.is_some_and(|other| other != block) {
            return None;
        }
        found = Some(block);
    }
    found.map(|block| Scheme::Float8 { block })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(quantization: Value) -> Result<Scheme, ModelError> {
        let config = json!({ "quantization_config": quantization });
        scheme(config.as_object().unwrap())
    }

    #[test]
    fn readable_schemes() {
        let block = |rows, columns| Scheme::Float8 { block: Some([rows, columns]) };
        let compressed = |weights: Value| {
            json!({"quant_method": "compressed-tensors", "format": "float-quantized",
                   "config_groups": {"group_0": {"weights": weights}}})
        };
        for (config, expected) in [
            (Value::Null, Scheme::Plain),
            (json!({"quant_method": "fp8", "weight_block_size": [128, 64]}), block(128, 64)),
            (json!({"quant_method": "fp8", "weight_block_size": null}), Scheme::Float8 { block: None }),
            (json!({"quant_method": "fbgemm_fp8"}), Scheme::Float8 { block: None }),
            (json!({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}), Scheme::Mxfp4),
            (json!({"quant_method": "modelopt", "quant_algo": "FP8"}), Scheme::Float8 { block: None }),
            (
                compressed(json!({"type": "float", "num_bits": 8, "strategy": "channel"})),
                Scheme::Float8 { block: None },
            ),
            (
                compressed(json!({"type": "float", "num_bits": 8, "strategy": "block", "block_structure": [2, 3]})),
                block(2, 3),
            ),
            (json!({"quant_method": "bitnet"}), Scheme::Ternary { divides: true }),
            (
                json!({"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}),
                Scheme::Ternary { divides: false },
            ),
            (
                json!({"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}),
                Scheme::TernaryMasters,
            ),
        ] {
            assert_eq!(read(config.clone()).unwrap(), expected, "{config}");
        }
        let first = json!({"architectures": ["BitnetForCausalLM"]});
        assert_eq!(scheme(first.as_object().unwrap()).unwrap(), Scheme::TernaryMasters);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (config, words) in [
            (json!({"quant_method": "gptq", "bits": 4}), "method `gptq`"),
            (json!({"bits": 4}), "method `unknown`"),
            (json!({"quant_method": "modelopt", "quant_algo": "NVFP4"}), "method `modelopt (NVFP4)`"),
            (
                json!({"quant_method": "compressed-tensors", "format": "pack-quantized"}),
                "method `compressed-tensors (pack-quantized)`",
            ),
            (
                json!({"quant_method": "compressed-tensors", "format": "float-quantized",
                       "config_groups": {"a": {"weights": {"type": "float", "num_bits": 4}}}}),
                "not 8-bit floats alone",
            ),
        ] {
            assert!(read(config).unwrap_err().to_string().contains(words), "{words}");
        }
        let error = read(json!({"quant_method": "fp8", "weight_block_size": [128, 0]})).unwrap_err();
        assert!(error.to_string().contains("`quantization_config.weight_block_size` is [128,0]"), "{error}");
    }
}
