//! Source tensors become output tensors: GGUF names, experts stacked, rows in llama.cpp's order.

use crate::arch::{Architecture, Heads, Latent, Line, View, gguf_names, rope_tensors};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Role, TensorDescription};
use std::collections::BTreeMap;

/// One tensor of the output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gathered {
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
pub(crate) enum Origin {
    /// Computed from config.json.
    Derived(Vec<f32>),
    /// Source tensors, experts in their order.
    Sources { parts: Vec<usize>, view: View, shift: f32 },
}

impl Gathered {
    /// Source tensors, experts in their order; none for derived tensors.
    pub(crate) fn sources(&self) -> &[usize] {
        match &self.origin {
            Origin::Derived(_) => &[],
            Origin::Sources { parts, .. } => parts,
        }
    }
}

/// All output tensors in the converter's order (derived ones, then by Hugging Face name), and what is left out.
pub(crate) struct Collection {
    pub tensors: Vec<Gathered>,
    pub dropped: Vec<(String, String)>,
}

pub(crate) fn collect(arch: &Architecture, model: &ModelDescription) -> Result<Collection, Error> {
    let mut dropped = Vec::new();
    let mut by_name: Vec<(usize, &TensorDescription)> = model.tensors.iter().enumerate().collect();
    by_name.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    // Output tensors with their place among the source's: the converter stacks the experts of a layer as soon as it has
    // seen the last of them.
    let mut placed: Vec<(usize, Gathered)> = Vec::new();
    let mut stacks: Vec<Stack> = Vec::new();
    let mut last_part: BTreeMap<(Option<u32>, Option<Role>), usize> = BTreeMap::new();
    for (place, (index, tensor)) in by_name.into_iter().enumerate() {
        if tensor.role == Role::RopeFrequencies {
            dropped.push((tensor.name.clone(), "llama.cpp computes rotary frequencies itself".to_owned()));
            continue;
        }
        let names = gguf_names(arch, tensor);
        if names.is_empty() {
            return Err(homeless(arch, model, tensor));
        }
        if tensor.shape.is_empty() || tensor.shape.contains(&0) {
            let message =
                format!("the tensor `{}` has the shape {:?}, which holds no weights", tensor.name, tensor.shape);
            return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
        }
        for (name, line) in names {
            let Some(number) = tensor.expert.or(tensor.head) else {
                placed.push((place, single(model, name, index, tensor, line)?));
                continue;
            };
            let together = together(tensor);
            last_part.insert(together.clone(), place);
            match stacks.iter_mut().find(|stack| stack.name == name) {
                Some(stack) => stack.parts.push((number, index)),
                None => stacks.push(Stack { name, together, parts: vec![(number, index)] }),
            }
        }
    }
    for stack in stacks {
        let place = last_part.get(&stack.together).copied().unwrap_or(0);
        placed.push((place, stacked(model, stack)?));
    }
    placed.sort_by_key(|(place, _)| *place);
    let mut tensors = derived(model);
    tensors.extend(placed.into_iter().map(|(_, tensor)| tensor));
    Ok(Collection { tensors, dropped })
}

/// What the converter waits for before it writes a stack: all experts of a layer, all heads of one norm.
fn together(tensor: &TensorDescription) -> (Option<u32>, Option<Role>) {
    (tensor.layer, tensor.head.map(|_| tensor.role.clone()))
}

/// Experts, or heads, of one layer that become one tensor.
struct Stack {
    name: String,
    together: (Option<u32>, Option<Role>),
    /// Expert or head, and source tensor.
    parts: Vec<(u32, usize)>,
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
    model: &ModelDescription,
    name: String,
    index: usize,
    tensor: &TensorDescription,
    line: &Line,
) -> Result<Gathered, Error> {
    let attention = &model.hyperparameters.attention;
    let latent = if tensor.role == Role::AttnKvB { Latent::read(model) } else { Latent::default() };
    let heads = Heads {
        query: attention.heads as usize,
        key: attention.kv_heads as usize,
        latent_key: latent.plain as usize,
        latent_value: latent.value as usize,
    };
    let (shape, view) = line.layout.view(&tensor.shape, heads).map_err(|problem| {
        let message = format!("the tensor `{}` cannot be arranged for GGUF: {problem}", tensor.name);
        Error::new(Kind::UnsupportedModel, message).subject(&tensor.name)
    })?;
    let ne = shape.into_iter().rev().collect();
    let shift = if tensor.part == "bias" { 0.0 } else { line.shift };
    Ok(Gathered { name, ne, unit: tensor.unit, origin: Origin::Sources { parts: vec![index], view, shift } })
}

fn stacked(model: &ModelDescription, stack: Stack) -> Result<Gathered, Error> {
    let Stack { name, mut parts, .. } = stack;
    parts.sort_unstable();
    let first = &model.tensors[parts[0].1];
    for (place, (expert, index)) in parts.iter().enumerate() {
        let tensor = &model.tensors[*index];
        if *expert as usize != place || tensor.shape != first.shape || tensor.unit != first.unit {
            let message = format!(
                "the parts of `{name}` cannot be stacked: `{}` has shape {:?} and follows {place} others, the first has {:?}",
                tensor.name, tensor.shape, first.shape
            );
            return Err(Error::new(Kind::UnsupportedModel, message).subject(&tensor.name));
        }
    }
    let mut ne: Vec<u64> = first.shape.iter().rev().copied().collect();
    ne.push(parts.len() as u64);
    let view = View::plain(first.rows() as usize, first.columns() as usize);
    let parts = parts.into_iter().map(|(_, index)| index).collect();
    Ok(Gathered { name, ne, unit: first.unit, origin: Origin::Sources { parts, view, shift: 0.0 } })
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
