//! Source tensors become output tensors: GGUF names, experts stacked, rows in llama.cpp's order.

use crate::arch::{Architecture, RowOrder, gguf_name, rope_tensors};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription};

/// One tensor of the output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gathered {
    /// GGUF name.
    pub name: String,
    /// Dimensions, innermost first.
    pub ne: Vec<u64>,
    /// Unit during which it is written.
    pub unit: u32,
    /// Where its values come from.
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// Computed from config.json.
    Derived(Vec<f32>),
    /// Source tensors, experts in their order.
    Sources { parts: Vec<usize>, order: RowOrder },
}

/// All output tensors in the converter's order (derived ones, then by Hugging Face name), and what is left out.
pub(super) struct Collection {
    pub tensors: Vec<Gathered>,
    pub dropped: Vec<(String, String)>,
}

pub(super) fn collect(arch: &Architecture, model: &ModelDescription) -> Result<Collection, Error> {
    let mut tensors = derived(model);
    let mut dropped = Vec::new();
    let mut by_name: Vec<(usize, &TensorDescription)> = model.tensors.iter().enumerate().collect();
    by_name.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    let mut experts: Vec<(String, Vec<(u32, usize)>)> = Vec::new();
    for (index, tensor) in by_name {
        if tensor.role == Role::RopeFrequencies {
            dropped.push((tensor.name.clone(), "llama.cpp computes rotary frequencies itself".to_owned()));
            continue;
        }
        let name = gguf_name(arch, tensor).ok_or_else(|| homeless(arch, model, tensor))?;
        if tensor.shape.is_empty() || tensor.shape.contains(&0) {
            let message =
                format!("the tensor `{}` has the shape {:?}, which holds no weights", tensor.name, tensor.shape);
            return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
        }
        match tensor.expert {
            None => tensors.push(single(arch, model, name, index, tensor)?),
            Some(expert) => match experts.iter_mut().find(|(stacked, _)| *stacked == name) {
                Some((_, parts)) => parts.push((expert, index)),
                None => experts.push((name, vec![(expert, index)])),
            },
        }
    }
    for (name, parts) in experts {
        tensors.push(stacked(model, name, parts)?);
    }
    Ok(Collection { tensors, dropped })
}

fn derived(model: &ModelDescription) -> Vec<Gathered> {
    let unit = model.tensors.iter().find(|t| t.role == Role::TokenEmbedding).map_or(0, |t| t.unit);
    rope_tensors(&model.hyperparameters)
        .into_iter()
        .map(|tensor| Gathered {
            name: tensor.name.to_owned(),
            ne: vec![tensor.values.len() as u64],
            unit,
            origin: Origin::Derived(tensor.values),
        })
        .collect()
}

fn single(
    arch: &Architecture,
    model: &ModelDescription,
    name: String,
    index: usize,
    tensor: &TensorDescription,
) -> Result<Gathered, Error> {
    let order = row_order(arch, model, tensor)?;
    let ne = tensor.shape.iter().rev().copied().collect();
    Ok(Gathered { name, ne, unit: tensor.unit, origin: Origin::Sources { parts: vec![index], order } })
}

fn stacked(model: &ModelDescription, name: String, mut parts: Vec<(u32, usize)>) -> Result<Gathered, Error> {
    parts.sort_unstable();
    let first = &model.tensors[parts[0].1];
    for (place, (expert, index)) in parts.iter().enumerate() {
        let tensor = &model.tensors[*index];
        if *expert as usize != place || tensor.shape != first.shape || tensor.unit != first.unit {
            let message = format!(
                "the experts of `{name}` cannot be stacked: `{}` has shape {:?} and follows {place} experts, the first has {:?}",
                tensor.name, tensor.shape, first.shape
            );
            return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
        }
    }
    let mut ne: Vec<u64> = first.shape.iter().rev().copied().collect();
    ne.push(parts.len() as u64);
    let parts = parts.into_iter().map(|(_, index)| index).collect();
    Ok(Gathered { name, ne, unit: first.unit, origin: Origin::Sources { parts, order: RowOrder::AsStored } })
}

fn row_order(arch: &Architecture, model: &ModelDescription, tensor: &TensorDescription) -> Result<RowOrder, Error> {
    let attention = &model.hyperparameters.attention;
    let heads = match tensor.role {
        Role::AttnQ => attention.heads,
        Role::AttnK => attention.kv_heads,
        _ => return Ok(RowOrder::AsStored),
    };
    let stored_halves = model.hyperparameters.rope.as_ref().is_some_and(|rope| rope.layout == "half");
    if !arch.rotates_neighbours || !stored_halves {
        return Ok(RowOrder::AsStored);
    }
    let rows = tensor.shape.first().copied().unwrap_or(0);
    let head = rows / u64::from(heads.max(1));
    if heads == 0 || head * u64::from(heads) != rows || head < 2 || !head.is_multiple_of(2) {
        let message =
            format!("the {rows} rows of `{}` cannot be split into {heads} heads of an even width", tensor.name);
        return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
    }
    Ok(RowOrder::Neighbours { head: head as usize })
}

fn homeless(arch: &Architecture, model: &ModelDescription, tensor: &TensorDescription) -> Error {
    let message = format!(
        "GGUF's architecture `{}` has no place for the tensor `{}` (role `{}`) of this {} model",
        arch.name, tensor.name, tensor.role, model.architecture
    );
    Error::new(Kind::UnsupportedModel, message)
        .subject(&tensor.name)
        .hint("the model has parts that llama.cpp cannot run; another format may hold them")
}
