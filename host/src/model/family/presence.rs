//! Which tensors must be there, which may not, and which are missing.

use super::assign::heads;
use super::{Captures, Family, LayerKind, TensorTemplate};
use crate::model::ModelError;
use llmq_plugin_api::wire::Hyperparameters;
use std::collections::HashSet;

/// Missing tensors named in an error.
const NAMED: usize = 8;

/// What a model holds of its family's templates.
pub(super) struct Presence<'a> {
    family: &'a Family,
    numbers: &'a Hyperparameters,
    /// Whether each template's condition holds.
    wanted: Vec<bool>,
    /// Layers without experts in front of those with experts.
    leading_dense: u32,
    /// Template and numbers of every tensor that arrived.
    seen: HashSet<(usize, Captures)>,
}

impl<'a> Presence<'a> {
    /// Nothing has arrived yet. `wanted` says of each template whether its condition holds.
    pub fn new(
        family: &'a Family,
        numbers: &'a Hyperparameters,
        wanted: Vec<bool>,
        leading_dense: u32,
    ) -> Presence<'a> {
        Presence { family, numbers, wanted, leading_dense, seen: HashSet::new() }
    }

    /// Notes a tensor of template `i`; a sentence if it must not be there.
    pub fn arrives(&mut self, i: usize, captures: Captures) -> Result<(), String> {
        let template = &self.family.templates[i];
        if let (false, Some(condition)) = (self.wanted[i], &template.when) {
            return Err(format!("{}, so transformers would ignore the tensor", condition.refusal()));
        }
        if !self.belongs(template, captures.layer) {
            let key = self.family.leading_dense.as_deref().unwrap_or_default();
            return Err(match template.layers {
                LayerKind::Dense => format!("layers from {key} = {} on have experts instead", self.leading_dense),
                _ => format!("layers in front of {key} = {} have no experts", self.leading_dense),
            });
        }
        if !self.seen.insert((i, captures)) {
            let name = template.pattern.name(captures);
            return Err(format!("`{name}` is there under another name as well, or in a tensor that holds several"));
        }
        Ok(())
    }

    fn belongs(&self, template: &TensorTemplate, layer: Option<u32>) -> bool {
        let dense = layer.is_some_and(|layer| layer < self.leading_dense);
        match template.layers {
            LayerKind::All => true,
            LayerKind::Dense => dense,
            LayerKind::Sparse => !dense,
        }
    }

    /// Errors with the first few names if something is missing or there in two spellings.
    pub fn refuse_missing(&self) -> Result<(), ModelError> {
        let (mut names, mut count) = (Vec::new(), 0);
        let experts = self.numbers.experts.as_ref().map_or(0, |e| e.count);
        let range = |present: bool, n: u32| if present { (0..n).map(Some).collect() } else { vec![None] };
        for (i, template) in self.family.templates.iter().enumerate() {
            if !self.wanted[i] || (template.tied && self.numbers.tied_embeddings) {
                continue;
            }
            for &layer in &range(template.pattern.has_layer(), self.numbers.layers) {
                if !self.belongs(template, layer) {
                    continue;
                }
                let experts = range(template.pattern.has_expert(), experts);
                let heads = range(template.pattern.has_head(), heads(&template.role, self.numbers));
                for captures in
                    experts.iter().flat_map(|&expert| heads.iter().map(move |&head| Captures { layer, expert, head }))
                {
                    if !self.seen.contains(&(i, captures)) {
                        count += 1;
                        if names.len() < NAMED {
                            names.push(template.pattern.name(captures));
                        }
                    }
                }
            }
        }
        if count == 0 { Ok(()) } else { Err(ModelError::MissingTensors { count, names }) }
    }
}
