//! What the user's choices do to the encodings: what the rules are told, and what there is to say about it.

use super::collect::Gathered;
use super::options::Options;
use super::override_kv::Override;
use crate::arch::Architecture;
use crate::mixture::{Assignment, Candidate, Choices, MixtureError, ModelShape, Recipe, assign};
use crate::value::Value;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Slot};

pub(super) fn unfit(error: MixtureError) -> Error {
    let kind = match error {
        MixtureError::Ragged { .. } | MixtureError::NotQuantizable { .. } => Kind::InvalidRequest,
        _ => Kind::UnsupportedModel,
    };
    Error::new(kind, error.to_string())
}

/// What tensors would get without encodings fixed for them; nothing if none is fixed, or if the level alone has no
/// encoding for some tensor.
pub(super) fn by_level_alone(
    recipe: Recipe,
    choices: Choices,
    shape: &ModelShape,
    candidates: &[Candidate],
) -> Option<Vec<Assignment>> {
    if candidates.iter().all(|candidate| candidate.fixed.is_none()) {
        return None;
    }
    let free: Vec<Candidate> =
        candidates.iter().map(|candidate| Candidate { fixed: None, ..candidate.clone() }).collect();
    assign(recipe, choices, shape, &free).ok()
}

/// What the rules look at.
pub(super) fn shape(
    arch: &Architecture,
    model: &ModelDescription,
    options: &Options,
    has_importance: bool,
) -> ModelShape {
    let numbers = &model.hyperparameters;
    let shape = ModelShape {
        arch: arch.name.to_owned(),
        layers: numbers.layers,
        heads: numbers.attention.heads,
        kv_heads: numbers.attention.kv_heads,
        experts: numbers.experts.as_ref().map_or(0, |experts| experts.count),
        has_importance,
    };
    overridden(shape, options)
}

/// The same after `--override-kv`: the reference reads these numbers from metadata, which it overrides first.
pub(super) fn overridden(mut shape: ModelShape, options: &Options) -> ModelShape {
    for Override { key, value } in &options.quantizer.overrides {
        let Value::U32(number) = value else { continue };
        match key.strip_prefix(shape.arch.as_str()) {
            Some(".block_count") => shape.layers = *number,
            Some(".attention.head_count") => shape.heads = *number,
            Some(".attention.head_count_kv") => shape.kv_heads = *number,
            Some(".expert_count") => shape.experts = *number,
            _ => {}
        }
    }
    shape
}

/// Options that change nothing in this file.
pub(super) fn idle_options(choices: Choices, recipe: Recipe, slots: &[Slot]) -> Vec<String> {
    let mut out = Vec::new();
    let tied = !slots.iter().any(|slot| slot.name == "output.weight");
    if choices.leave_output && (tied || recipe.is_float()) {
        out.push("--leave-output-tensor has no effect: no output.weight would be quantized".to_owned());
    }
    if choices.output.is_some() && tied && (choices.pure || choices.embedding.is_some() || recipe.is_float()) {
        out.push("--output-tensor-type has no effect: the model's output is its token embedding".to_owned());
    }
    if choices.pure && recipe.is_float() {
        out.push("--pure has no effect: the level has no mixture".to_owned());
    }
    out
}

/// Why tensors have the encodings they have, where that is not simply the level's.
pub(super) fn notes(
    tensors: &[Gathered],
    choices: Choices,
    assigned: &[Assignment],
    by_level: Option<&[Assignment]>,
) -> Vec<String> {
    let usual = |index: usize| by_level.unwrap_or(assigned)[index].encoding;
    let one = |(index, (tensor, assignment))| note(tensor, choices, assignment, usual(index));
    tensors.iter().zip(assigned).enumerate().map(one).collect()
}

fn note(tensor: &Gathered, choices: Choices, assignment: &Assignment, usual: BlockType) -> String {
    let option = match tensor.name.as_str() {
        "output.weight" if choices.leave_output => Some("--leave-output-tensor"),
        "output.weight" => choices.output.map(|_| "--output-tensor-type"),
        "token_embd.weight" => choices.embedding.map(|_| "--token-embedding-type"),
        _ => None,
    };
    match assignment.misfit {
        Some(wanted) => format!(
            "{} instead of {}: rows of {} are not whole blocks of {}",
            assignment.encoding.name(),
            wanted.name(),
            tensor.ne.first().copied().unwrap_or(1),
            wanted.block_len()
        ),
        None if assignment.encoding != usual => format!("chosen for this job; the level gives {}", usual.name()),
        None => option.map_or_else(String::new, |option| format!("by {option}")),
    }
}
