//! Which tensors are matrices of linear layers in the decoder; routers never are, the head on request.

use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription, UnitKind};
use serde_json::Value;

/// Model types whose layers store matrices as `[inputs, outputs]`: rows of theirs are no outputs.
const TURNED: &[&str] = &["gpt2"];

/// Whether a module's matrix is stored as `[inputs, outputs]` in a model with this config.json. Heads never are.
pub fn is_turned(config: &Value, module: &str) -> bool {
    let model_type = config.get("model_type").and_then(Value::as_str);
    model_type.is_some_and(|model_type| TURNED.contains(&model_type)) && module != "lm_head"
}

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

/// Refuses models whose tensors are not what they seem: those in the view of a format (`named` as people call it).
pub fn check(description: &ModelDescription, named: &str) -> Result<(), Error> {
    if description.stored_as.is_some() {
        let what = format!("turn a {named} folder into another one without its Hugging Face view");
        return Err(Error::unsupported(&what));
    }
    Ok(())
}

/// Outputs and inputs of a candidate, which is stored the other way round if it is `turned`. `None` if it is no matrix.
pub fn shape(tensor: &TensorDescription, turned: bool) -> Result<Option<(usize, usize)>, Error> {
    let &[rows, columns] = tensor.shape.as_slice() else { return Ok(None) };
    let (rows, columns) = if turned { (columns, rows) } else { (rows, columns) };
    if !tensor.name.ends_with(".weight") {
        let message = format!("tensor `{}` is the matrix of a linear layer without `.weight` in its name", tensor.name);
        return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
    }
    Ok(usize::try_from(rows).ok().zip(usize::try_from(columns).ok()))
}
