//! Which tensors are quantized: the matrices of linear layers in the decoder, but for routers, and on request the head.

use super::Linear;
use crate::choices::Choices;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription};
use llmq_safetensors_folders::select::{candidates, check, is_turned, shape};

/// The matrices with their settings, in model order.
pub fn linears(description: &ModelDescription, choices: &Choices) -> Result<Vec<Linear>, Error> {
    check(description, "GPTQ")?;
    if choices.lm_head && !description.tensors.iter().any(|tensor| tensor.role == Role::OutputHead) {
        let message = "the output head cannot be quantized: it is tied to the embeddings and has no tensor of its own";
        return Err(Error::new(Kind::InvalidRequest, message).subject("lm_head").hint("leave out --lm-head"));
    }
    let mut linears = Vec::new();
    for (index, module) in candidates(description, choices.lm_head) {
        let Some(settings) = choices.of(module) else { continue };
        let tensor = &description.tensors[index];
        let turned = is_turned(&description.config, module);
        let Some((rows, columns)) = shape(tensor, turned)? else { return Err(stacked(tensor)) };
        linears.push(Linear { turned, ..Linear::new(index, &tensor.name, rows, columns, settings) });
    }
    Ok(linears)
}

fn stacked(tensor: &TensorDescription) -> Error {
    let message =
        format!("tensor `{}` has shape {:?}; GPTQ knows matrices only, one for each expert", tensor.name, tensor.shape);
    let module = tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name);
    let kind = module.rsplit('.').next().unwrap_or(module);
    let hint = format!("keep such tensors of all layers as they are with --dynamic='-:.*\\.{}$'", regex::escape(kind));
    Error::new(Kind::UnsupportedModel, message).subject(&tensor.name).hint(hint)
}
