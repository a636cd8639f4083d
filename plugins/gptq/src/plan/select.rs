//! Which tensors are quantized: the matrices of linear layers in the decoder, but for routers, and on request the head.

use super::Linear;
use crate::choices::Choices;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription, UnitKind};

/// Families whose matrices are stored `[inputs, outputs]`: rows of theirs are no outputs.
const TURNED: &[&str] = &["gpt2"];

/// Tensors that could be quantized, with the names of their modules.
pub fn candidates(description: &ModelDescription, head: bool) -> impl Iterator<Item = (usize, &str)> {
    let is_candidate = move |tensor: &TensorDescription| {
        let in_layer = description.units.get(tensor.unit as usize).is_some_and(|unit| unit.kind == UnitKind::Layer);
        match tensor.role {
            Role::OutputHead => head && tensor.part != "bias",
            Role::Router | Role::SharedExpertRouter => false,
            _ => in_layer && tensor.role.is_linear() && tensor.part != "bias" && tensor.shape.len() >= 2,
        }
    };
    let tensors = description.tensors.iter().enumerate().filter(move |(_, tensor)| is_candidate(tensor));
    tensors.map(|(index, tensor)| (index, tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name)))
}

/// The matrices with their settings, in model order.
pub fn linears(description: &ModelDescription, choices: &Choices) -> Result<Vec<Linear>, Error> {
    if description.stored_as.is_some() {
        return Err(Error::unsupported("turn a GPTQ folder into another one without its Hugging Face view"));
    }
    if TURNED.contains(&description.family.as_str()) {
        let message = format!(
            "models of family `{}` store matrices as [inputs, outputs]; this backend does not turn them",
            description.family
        );
        return Err(Error::new(Kind::UnsupportedModel, message).subject("family"));
    }
    if choices.lm_head && !description.tensors.iter().any(|tensor| tensor.role == Role::OutputHead) {
        let message = "the output head cannot be quantized: it is tied to the embeddings and has no tensor of its own";
        return Err(Error::new(Kind::InvalidRequest, message).subject("lm_head").hint("leave out --lm-head"));
    }
    let mut linears = Vec::new();
    for (index, module) in candidates(description, choices.lm_head) {
        let Some(settings) = choices.of(module) else { continue };
        let tensor = &description.tensors[index];
        let &[rows, columns] = tensor.shape.as_slice() else { return Err(stacked(tensor)) };
        if !tensor.name.ends_with(".weight") {
            let message =
                format!("tensor `{}` is the matrix of a linear layer without `.weight` in its name", tensor.name);
            return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
        }
        let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
            return Err(stacked(tensor));
        };
        linears.push(Linear::new(index, &tensor.name, rows, columns, settings));
    }
    Ok(linears)
}

fn stacked(tensor: &TensorDescription) -> Error {
    let message =
        format!("tensor `{}` has shape {:?}; GPTQ knows matrices only, one for each expert", tensor.name, tensor.shape);
    let module = tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name);
    let hint = format!("keep it as it is with --dynamic='-:{}$'", regex::escape(module));
    Error::new(Kind::UnsupportedModel, message).subject(&tensor.name).hint(hint)
}
