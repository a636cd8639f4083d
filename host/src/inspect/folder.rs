//! A Hugging Face folder in figures: the contract's keys first, then what else is known.

use super::TensorLine;
use crate::model::{Model, torch_dtype};
use serde::Serialize;

/// Description of an unquantized model.
#[derive(Debug, Serialize)]
pub struct FolderInfo {
    /// The model's own name.
    pub model_name: String,
    /// Class in config.json.
    pub architecture: String,
    /// Weights, a tied head counted once.
    pub parameter_count: u64,
    /// Width of the residual stream.
    pub hidden_size: u32,
    /// Decoder layers.
    pub num_layers: u32,
    /// Query heads.
    pub num_heads: u32,
    /// Rows of the embedding table.
    pub vocab_size: u32,
    /// Dtype of most weights in torch's spelling, for example `float16`.
    pub torch_dtype: String,
    /// Family description that matched.
    pub family: String,
    /// Key-value heads.
    pub num_kv_heads: u32,
    /// Longest context in tokens.
    pub context_length: u32,
    /// Inner width of the dense feed-forward block.
    pub intermediate_size: u32,
    /// Whether the output head shares the embedding table.
    pub tied_embeddings: bool,
    /// Number of tensors.
    pub tensor_count: usize,
    /// Bytes of all weight tensors.
    pub weight_bytes: u64,
    /// Side files that were found.
    pub files: Vec<String>,
    /// Sentences about oddities.
    pub notes: Vec<String>,
    /// Every tensor, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensors: Option<Vec<TensorLine>>,
}

impl FolderInfo {
    /// The figures of an opened model.
    pub fn of(model: &Model, with_tensors: bool) -> FolderInfo {
        let description = model.description();
        let numbers = &description.hyperparameters;
        let tensor = |(index, tensor): (usize, &llmq_plugin_api::wire::TensorDescription)| {
            let (stored, bytes) = model.stored(index).unwrap_or((&tensor.dtype, &[]));
            TensorLine {
                name: tensor.name.clone(),
                encoding: stored.to_owned(),
                shape: tensor.shape.clone(),
                bytes: bytes.len() as u64,
            }
        };
        let tensors: Vec<TensorLine> = description.tensors.iter().enumerate().map(tensor).collect();
        FolderInfo {
            model_name: description.name.clone(),
            architecture: description.architecture.clone(),
            parameter_count: description.parameter_count(),
            hidden_size: numbers.hidden_size,
            num_layers: numbers.layers,
            num_heads: numbers.attention.heads,
            vocab_size: numbers.vocab_size,
            torch_dtype: torch_dtype(&model.stored_dtype()),
            family: description.family.clone(),
            num_kv_heads: numbers.attention.kv_heads,
            context_length: numbers.context_length,
            intermediate_size: numbers.intermediate_size,
            tied_embeddings: numbers.tied_embeddings,
            tensor_count: tensors.len(),
            weight_bytes: tensors.iter().map(|t| t.bytes).sum(),
            files: description.files.clone(),
            notes: model.notes().to_vec(),
            tensors: with_tensors.then_some(tensors),
        }
    }
}
