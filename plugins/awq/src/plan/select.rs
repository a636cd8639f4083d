//! Which tensors are quantized: the matrices of linear layers in the decoder, but for routers, the head, and what is kept.

use super::Linear;
use crate::choices::Choices;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription};
use llmq_safetensors_folders::select::{candidates, check, is_turned, shape};

/// The matrices, in model order.
pub fn linears(description: &ModelDescription, choices: &Choices) -> Result<Vec<Linear>, Error> {
    check(description, "AWQ")?;
    let mut linears = Vec::new();
    for (index, module) in candidates(description, false).filter(|(_, module)| !choices.keeps(module)) {
        let tensor = &description.tensors[index];
        let turned = is_turned(&description.config, module);
        let Some((rows, columns)) = shape(tensor, turned)? else { return Err(stacked(tensor, module)) };
        let linear = Linear::new(index, &tensor.name, tensor.role.clone(), rows, columns, choices.group);
        linears.push(Linear { turned, ..linear });
    }
    Ok(linears)
}

fn stacked(tensor: &TensorDescription, module: &str) -> Error {
    let message =
        format!("tensor `{}` has shape {:?}; AWQ knows matrices only, one for each expert", tensor.name, tensor.shape);
    let kind = module.rsplit('.').next().unwrap_or(module);
    let hint = format!("keep such tensors of all layers as they are with --modules-to-not-convert={kind}");
    Error::new(Kind::UnsupportedModel, message).subject(&tensor.name).hint(hint)
}

/// Full names of linear modules that stay: what loaders must be told. The head they all leave alone by themselves. Full names,
/// because loaders differ in what a part of one matches.
pub fn kept(description: &ModelDescription, linears: &[Linear]) -> Vec<String> {
    let is_quantized = |index: usize| linears.iter().any(|linear| linear.tensor == index);
    let stays = |index: usize, tensor: &TensorDescription| {
        tensor.role.is_linear()
            && !matches!(tensor.role, Role::OutputHead | Role::TokenEmbedding)
            && tensor.part == "weight"
            && tensor.shape.len() == 2
            && !is_quantized(index)
    };
    let tensors = description.tensors.iter().enumerate().filter(|(index, tensor)| stays(*index, tensor));
    tensors.filter_map(|(_, tensor)| Some(tensor.name.strip_suffix(".weight")?.to_owned())).collect()
}
