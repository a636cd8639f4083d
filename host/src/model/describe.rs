//! A model description from config.json and a list of tensors, wherever they come from.

use super::ModelError;
use super::config::{Fields, class_and_family, read_hyperparameters, text_model_config};
use super::family::{Answers, Families, FoundTensor, assign, own};
use super::source::usual_dtype;
use crate::network::smoothing;
use llmq_plugin_api::wire::ModelDescription;
use serde_json::Value;

/// A tensor under its Hugging Face name.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Name.
    pub name: &'a str,
    /// Row-major shape.
    pub shape: &'a [u64],
    /// `F32`, `F16` or `BF16`.
    pub dtype: &'a str,
    /// What the caller knows it by.
    pub position: usize,
}

/// Gives every tensor its role and unit, with a folder's own checks. The second list holds the positions of the described
/// tensors; name and side files are left to the caller.
pub fn describe(
    config: &Value,
    listed: &[Listed<'_>],
    notes: &mut Vec<String>,
) -> Result<(ModelDescription, Vec<usize>), ModelError> {
    let text = text_model_config(config)?;
    let (architecture, family) = class_and_family(&text, Families { own: own()? })?;
    let (architecture, family_id) = family.for_backends(architecture, notes);
    let fields = Fields::new(&text, family);
    let mut hyperparameters = read_hyperparameters(&fields)?;
    let found: Vec<FoundTensor<'_>> = listed
        .iter()
        .map(|tensor| FoundTensor {
            name: tensor.name,
            stored_dtype: match tensor.dtype {
                "F16" => safetensors::Dtype::F16,
                "BF16" => safetensors::Dtype::BF16,
                _ => safetensors::Dtype::F32,
            },
            shape: tensor.shape,
            file: "",
        })
        .collect();
    let (switch, count) = (|key: &str| fields.switch(key), |key: &str| fields.count(key, 0..=1 << 24));
    let count_if_any = |key: &str| fields.count_if_any(key, 0..=1 << 24);
    let answers = Answers { switch: &switch, count: &count, count_if_any: &count_if_any };
    let mut assignment = assign(family, &hyperparameters, answers, &found)?;
    // A head that is stored is a head of its own: whoever wrote these files would have left a copy out.
    hyperparameters.tied_embeddings &= assignment.stored_tied_head.is_none();
    notes.append(&mut assignment.notes);
    let (tensors, found_at): (Vec<_>, Vec<usize>) = assignment.tensors.into_iter().unzip();
    let mut description = ModelDescription {
        name: String::new(),
        architecture,
        family: family_id,
        config: config.clone(),
        generation_config: Value::Null,
        hyperparameters,
        dtype: String::new(),
        units: assignment.units,
        tensors,
        files: Vec::new(),
        smoothing: Vec::new(),
        stored_as: None,
    };
    description.dtype = usual_dtype(description.tensors.iter().map(|tensor| (tensor.dtype.as_str(), tensor)));
    description.smoothing = smoothing(&description);
    Ok((description, found_at.into_iter().map(|place| listed[place].position).collect()))
}
