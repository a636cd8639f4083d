//! Scales of activations: in AWQ models of some families transformers divides what the activation puts out by stored numbers.
//!
//! AutoAWQ scaled the input of the last matrix of a block without a gate there. We fold nothing into activations, so all our
//! scales are one; but a folder without them is loaded with numbers that nobody set, and computes nonsense in silence (seen
//! with transformers 5.23). vLLM gave these up.

use crate::target::Target;
use half::f16;
use llmq_plugin_api::wire::ModelDescription;
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::files::Constant;
use serde_json::Value;

/// Model types with the matrix in front of the activation and the activation's name, as transformers' AWQ loader has them.
const SCALED: [(&str, &str, &str); 8] = [
    ("bloom", "dense_h_to_4h", "gelu_impl"),
    ("falcon", "dense_h_to_4h", "act"),
    ("gpt_bigcode", "c_fc", "act"),
    ("gpt_neox", "dense_h_to_4h", "act"),
    ("gptj", "fc_in", "act"),
    ("mpt", "up_proj", "act"),
    ("RefinedWebModel", "dense_h_to_4h", "act"),
    ("starcoder2", "c_fc", "act"),
];

/// The scales that a model needs for a loader, whether or not the matrices beside them are quantized.
pub fn scales(description: &ModelDescription, target: Target) -> Vec<Constant> {
    let model_type = description.config.get("model_type").and_then(Value::as_str);
    let found = SCALED.iter().find(|(known, ..)| Some(*known) == model_type);
    let Some((_, before, activation)) = found.filter(|_| matches!(target, Target::Any | Target::Transformers)) else {
        return Vec::new();
    };
    let matrices = description.tensors.iter().filter(|tensor| tensor.shape.len() == 2);
    let of = |(name, outputs): (&str, u64)| {
        let block = name.strip_suffix(".weight")?.strip_suffix(before).filter(|block| block.ends_with('.'))?;
        Some(Constant {
            name: format!("{block}{activation}.scales"),
            dtype: Dtype::F16,
            shape: vec![outputs],
            bytes: f16::ONE.to_le_bytes().repeat(outputs as usize),
        })
    };
    matrices.filter_map(|tensor| of((&tensor.name, tensor.shape[0]))).collect()
}

/// Whether a tensor of a folder holds such scales: they end like those of packed matrices, but have no codes beside them.
pub fn is_scales(name: &str) -> bool {
    name.strip_suffix(".scales")
        .is_some_and(|module| SCALED.iter().any(|(_, _, activation)| module.rsplit('.').next() == Some(activation)))
}
