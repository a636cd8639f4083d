//! What an output holds, as its reader lists it, and which source tensor each of it is.

use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::{ModelDescription, Plan, ReaderSummary};
use std::collections::BTreeMap;

/// An output that is not what it should be.
pub fn failed(message: String) -> Failure {
    let hint =
        "The output is kept under a name ending in .rejected for inspection; please report this with the model's name.";
    Failure::new(Class::ValidationFailed, message).suggest(hint)
}

/// A tensor of the output as its reader lists it.
pub struct Written<'a> {
    /// Name as the source calls it.
    pub name: &'a str,
    /// Name in the output.
    pub stored_name: &'a str,
    /// Row-major.
    pub shape: &'a [u64],
    /// Encoding as the format calls it.
    pub encoding: &'a str,
    /// Stored bytes.
    pub bytes: u64,
    /// Number for the reader.
    pub number: usize,
}

/// The output's tensors in the words of its source: the format's own, or Hugging Face's.
pub fn written(summary: &ReaderSummary, own_words: bool) -> Vec<Written<'_>> {
    let (first, view) = (summary.tensors.len(), summary.stored.iter().flat_map(|view| &view.tensors));
    let own = view.enumerate().map(|(place, t)| Written {
        name: &t.name,
        stored_name: &t.name,
        shape: &t.shape,
        encoding: &t.encoding,
        bytes: t.bytes,
        number: first + place,
    });
    let translated = summary.tensors.iter().enumerate().map(|(number, t)| Written {
        name: &t.name,
        stored_name: &t.stored_name,
        shape: &t.shape,
        encoding: &t.encoding,
        bytes: t.bytes,
        number,
    });
    if own_words { own.collect() } else { translated.collect() }
}

/// A shape without leading dimensions of 1, which formats store or leave out.
fn without_ones(shape: &[u64]) -> &[u64] {
    let first = shape.iter().position(|d| *d != 1).unwrap_or(shape.len().saturating_sub(1));
    &shape[first..]
}

/// Source tensors with their places in the reader's list; each one that the plan uses must be there in its own shape.
///
/// They are found by the slot's name where that is unambiguous: a tensor of a pruned model has another layer number in
/// the output, and so another Hugging Face name.
pub fn pairs(plan: &Plan, model: &ModelDescription, stored: &[Written]) -> Result<Vec<(usize, usize)>, Failure> {
    let by_name: BTreeMap<&str, usize> = stored.iter().enumerate().rev().map(|(index, t)| (t.name, index)).collect();
    let mut by_slot: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, tensor) in stored.iter().enumerate() {
        by_slot.entry(tensor.stored_name).or_default().push(index);
    }
    let mut pairs = BTreeMap::new();
    for slot in &plan.slots {
        let here = by_slot.get(slot.name.as_str()).map_or(&[][..], Vec::as_slice);
        for (position, source) in slot.sources.iter().enumerate() {
            let tensor = &model.tensors[*source as usize];
            let named = by_name.get(tensor.name.as_str()).copied();
            let in_place = here.get(position).copied().filter(|_| here.len() == slot.sources.len());
            let in_place = in_place.filter(|found| without_ones(stored[*found].shape) == without_ones(&tensor.shape));
            let found = named.filter(|found| in_place.is_none() || here.contains(found)).or(in_place);
            let Some(found) = found else {
                return Err(failed(format!("tensor `{}` is missing from the written output", tensor.name)));
            };
            if without_ones(stored[found].shape) != without_ones(&tensor.shape) {
                return Err(failed(format!(
                    "tensor `{}` has shape {:?} in the written output, {:?} in the source",
                    tensor.name, stored[found].shape, tensor.shape
                )));
            }
            pairs.entry(*source as usize).or_insert(found);
        }
    }
    Ok(pairs.into_iter().collect())
}
