//! A quantized model in figures, through the backend that recognizes its files.

use super::{Inspection, TensorLine};
use crate::failure::Failure;
use crate::plugins::Catalogue;
use crate::stored::Reading;
use llmq_plugin_api::wire::ReaderSummary;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Description of a quantized model. What its format does not carry is null.
#[derive(Debug, Serialize)]
pub struct QuantizedInfo {
    /// Name as stored, else the file's.
    pub model_name: String,
    /// Class as config.json would name it.
    pub architecture: Option<String>,
    /// Weights.
    pub parameter_count: u64,
    /// Width of the residual stream.
    pub hidden_size: Option<u64>,
    /// Decoder layers.
    pub num_layers: Option<u64>,
    /// Query heads.
    pub num_heads: Option<u64>,
    /// Rows of the embedding table.
    pub vocab_size: Option<u64>,
    /// Dtype of the model it was made from, if stated.
    pub torch_dtype: Option<String>,
    /// Format id.
    pub format: String,
    /// Level, empty if the file does not tell.
    pub quantization_level: String,
    /// Plugin that read it.
    pub plugin: String,
    /// Bytes of all files.
    pub file_size: u64,
    /// Stored tensor bits per weight.
    pub bits_per_weight: f64,
    /// Number of tensors.
    pub tensor_count: usize,
    /// Tensors by encoding, largest share first.
    pub encodings: Vec<EncodingShare>,
    /// The format's own metadata.
    pub metadata: Value,
    /// Sentences about oddities.
    pub warnings: Vec<String>,
    /// Every tensor, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensors: Option<Vec<TensorLine>>,
}

/// All tensors of one encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncodingShare {
    /// Encoding as the format calls it.
    pub encoding: String,
    /// How many tensors.
    pub tensors: usize,
    /// How many weights.
    pub weights: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// A single file, or a set of shards.
pub fn of_file(path: &Path, catalogue: &Catalogue, with_tensors: bool) -> Result<Inspection, Failure> {
    let reading = Reading::of_file(path, catalogue)?;
    Ok(Inspection::Quantized(Box::new(info(reading, path, with_tensors))))
}

/// The files of a folder, taken together. `None` if no backend knows them.
pub fn of_folder(path: &Path, catalogue: &Catalogue, with_tensors: bool) -> Result<Option<Inspection>, Failure> {
    let reading = Reading::of_folder(path, catalogue)?;
    Ok(reading.map(|reading| Inspection::Quantized(Box::new(info(reading, path, with_tensors)))))
}

fn info(reading: Reading, path: &Path, with_tensors: bool) -> QuantizedInfo {
    let size = reading.files.iter().map(|file| file.bytes().len() as u64).sum();
    let mut info = QuantizedInfo::of(reading.reader.summary().clone(), path, &reading.plugin, size, with_tensors);
    info.warnings.extend(reading.passed_over);
    info
}

impl QuantizedInfo {
    fn of(summary: ReaderSummary, path: &Path, plugin: &str, file_size: u64, with_tensors: bool) -> QuantizedInfo {
        let config = &summary.config;
        let number = |key: &str| config.get(key).and_then(Value::as_u64);
        let word = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let weights = summary.tensors.iter().map(|t| t.elements()).fold(0, u64::saturating_add);
        let bytes = summary.tensors.iter().map(|t| t.bytes).fold(0, u64::saturating_add);
        let tensors = summary.tensors.iter().map(|tensor| TensorLine {
            name: tensor.stored_name.clone(),
            encoding: tensor.encoding.clone(),
            shape: tensor.shape.clone(),
            bytes: tensor.bytes,
        });
        QuantizedInfo {
            architecture: config.pointer("/architectures/0").and_then(Value::as_str).map(str::to_owned),
            parameter_count: weights,
            hidden_size: number("hidden_size"),
            num_layers: number("num_hidden_layers"),
            num_heads: number("num_attention_heads"),
            vocab_size: number("vocab_size"),
            torch_dtype: word("torch_dtype").or_else(|| word("dtype")),
            plugin: plugin.to_owned(),
            file_size,
            bits_per_weight: if weights == 0 { 0.0 } else { bytes as f64 * 8.0 / weights as f64 },
            tensor_count: summary.tensors.len(),
            encodings: shares(&summary),
            tensors: with_tensors.then(|| tensors.collect()),
            model_name: if summary.name.is_empty() { stem } else { summary.name },
            format: summary.format,
            quantization_level: summary.level,
            metadata: summary.metadata,
            warnings: summary.warnings,
        }
    }
}

fn shares(summary: &ReaderSummary) -> Vec<EncodingShare> {
    let mut by_encoding: BTreeMap<&str, EncodingShare> = BTreeMap::new();
    for tensor in &summary.tensors {
        let share = by_encoding.entry(&tensor.encoding).or_insert_with(|| EncodingShare {
            encoding: tensor.encoding.clone(),
            tensors: 0,
            weights: 0,
            bytes: 0,
        });
        share.tensors += 1;
        share.weights = share.weights.saturating_add(tensor.elements());
        share.bytes = share.bytes.saturating_add(tensor.bytes);
    }
    let mut shares: Vec<_> = by_encoding.into_values().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire::StoredTensor;

    fn summary() -> ReaderSummary {
        let tensor = |name: &str, encoding: &str, shape: &[u64], bytes| StoredTensor {
            name: String::new(),
            stored_name: name.into(),
            shape: shape.to_vec(),
            encoding: encoding.into(),
            bytes,
            unit: None,
        };
        ReaderSummary {
            format: "toy".into(),
            level: "Q4".into(),
            name: String::new(),
            config: serde_json::json!({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "vocab_size": 100}),
            metadata: Value::Null,
            tensors: vec![
                tensor("norm", "F32", &[64], 256),
                tensor("a", "Q4_0", &[64, 64], 2304),
                tensor("b", "Q4_0", &[32, 64], 1152),
            ],
            sidecars: vec![],
            warnings: vec!["odd".into()],
            stored: None,
        }
    }

    #[test]
    fn figures_come_from_the_summary_and_absent_ones_are_null() {
        let info = QuantizedInfo::of(summary(), Path::new("dir/m-Q4.toy"), "toy", 4000, false);
        assert_eq!((info.model_name.as_str(), info.parameter_count), ("m-Q4", 64 + 4096 + 2048));
        assert_eq!(info.bits_per_weight, (256.0 + 2304.0 + 1152.0) * 8.0 / 6208.0);
        assert_eq!((info.hidden_size, info.num_layers), (Some(64), None));
        let json = serde_json::to_value(&info).unwrap();
        assert!(json["num_heads"].is_null() && json.get("tensors").is_none());
    }

    #[test]
    fn encodings_are_summed_largest_first() {
        let share = |encoding: &str, tensors, weights, bytes| EncodingShare {
            encoding: encoding.into(),
            tensors,
            weights,
            bytes,
        };
        assert_eq!(shares(&summary()), [share("Q4_0", 2, 6144, 3456), share("F32", 1, 64, 256)]);
    }
}
