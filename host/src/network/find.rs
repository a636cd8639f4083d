//! Tensors by what they are, and the linear layers and norms that they make.

use super::Source;
use crate::failure::{Class, Failure};
use crate::model::family::InputRows;
use llmq_forward::{HeadNorm, Linear, Norm, NormKind, Storage, Vector};
use llmq_plugin_api::wire::{Role, TensorDescription};
use std::collections::HashMap;

/// Tensors by role, layer, part and expert; those of single heads in the order of heads.
pub(super) struct Found<'a> {
    tensors: &'a [TensorDescription],
    places: HashMap<Key, Vec<usize>>,
}

/// Role, layer, whether it is a bias, expert.
type Key = (Role, Option<u32>, bool, Option<u32>);

impl<'a> Found<'a> {
    pub(super) fn new(tensors: &'a [TensorDescription]) -> Found<'a> {
        let mut places: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, tensor) in tensors.iter().enumerate() {
            let key = (tensor.role.clone(), tensor.layer, tensor.part == "bias", tensor.expert);
            places.entry(key).or_default().push(index);
        }
        places.values_mut().for_each(|list| list.sort_by_key(|index| tensors[*index].head));
        Found { tensors, places }
    }

    fn all(&self, role: &Role, layer: Option<u32>, part: &str, expert: Option<u32>) -> &[usize] {
        self.places.get(&(role.clone(), layer, part == "bias", expert)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn any(&self, role: &Role, layer: Option<u32>) -> Option<usize> {
        self.all(role, layer, "weight", None).first().copied()
    }

    pub(super) fn expert(&self, role: &Role, layer: Option<u32>, expert: u32) -> Option<usize> {
        self.all(role, layer, "weight", Some(expert)).first().copied()
    }

    pub(super) fn only(&self, role: &Role, layer: Option<u32>) -> Result<usize, Failure> {
        self.any(role, layer).ok_or_else(|| missing(role, layer))
    }
}

fn missing(role: &Role, layer: Option<u32>) -> Failure {
    let place = layer.map_or_else(String::new, |layer| format!(" in layer {layer}"));
    Failure::new(
        Class::General,
        format!("the model has no tensor with the role `{role}`{place}, which its forward pass needs"),
    )
}

impl Source<'_> {
    /// A linear layer: of an expert, if one is named, its own tensor or its part of one that holds all experts.
    pub(super) fn linear(&self, role: &Role, layer: Option<u32>, expert: Option<u32>) -> Result<Linear, Failure> {
        let own = expert.and_then(|expert| self.found.expert(role, layer, expert));
        let weight = match own {
            Some(own) => own,
            None => self.found.only(role, layer)?,
        };
        // Position in a tensor that holds all experts.
        let stacked = if own.is_none() { expert } else { None };
        let shape = &self.found.tensors[weight].shape;
        let (Some(&rows), Some(&columns)) = (shape.iter().rev().nth(1), shape.last()) else {
            return Err(Failure::new(Class::General, format!("`{}` is no matrix", self.found.tensors[weight].name)));
        };
        let (rows, columns) = (rows as usize, columns as usize);
        let storage = match self.rules.input_rows {
            InputRows::Layers if *role != Role::OutputHead => Storage::InputRows,
            InputRows::Experts if expert.is_some() => Storage::InputRows,
            _ => Storage::OutputRows,
        };
        let (inputs, outputs) = match storage {
            Storage::OutputRows => (columns, rows),
            Storage::InputRows => (rows, columns),
        };
        let biases = self.found.all(role, layer, "bias", if stacked.is_some() { None } else { expert });
        let bias =
            biases.first().map(|&tensor| Vector { tensor, row: u64::from(stacked.unwrap_or(0)), length: outputs });
        let first_row = u64::from(stacked.unwrap_or(0)) * rows as u64;
        Ok(Linear { weight, first_row, storage, inputs, outputs, bias })
    }

    /// A norm, if the model has one there.
    pub(super) fn norm(&self, role: &Role, layer: Option<u32>) -> Result<Option<Norm>, Failure> {
        let vectors = |part| {
            let whole =
                |&tensor: &usize| Vector { tensor, row: 0, length: self.found.tensors[tensor].elements() as usize };
            self.found.all(role, layer, part, None).iter().map(whole).collect::<Vec<_>>()
        };
        let weight = vectors("weight");
        if weight.is_empty() {
            return Ok(None);
        }
        let hyper = &self.description.hyperparameters;
        let kind = match hyper.norm.as_str() {
            "rms" => NormKind::Rms,
            "layer" => NormKind::Layer,
            other => return Err(Failure::new(Class::General, format!("the norm `{other}` is not known here"))),
        };
        let bias = vectors("bias").first().copied();
        Ok(Some(Norm { kind, epsilon: hyper.norm_eps as f32, weight, offset: self.rules.norm_offset, bias }))
    }

    /// A norm over heads: one for all of them together, one that they share, or one each.
    pub(super) fn head_norm(&self, role: &Role, layer: u32, head_dim: usize) -> Result<Option<HeadNorm>, Failure> {
        let tensors = self.found.all(role, Some(layer), "weight", None);
        let Some(&first) = tensors.first() else { return Ok(None) };
        let shape = &self.found.tensors[first].shape;
        let whole = tensors.len() == 1 && shape.len() == 1 && shape[0] as usize != head_dim;
        let group = if whole { shape[0] as usize } else { head_dim };
        Ok(self.norm(role, Some(layer))?.map(|norm| HeadNorm { norm, group }))
    }

    /// A vector that belongs to a layer, for example attention sinks.
    pub(super) fn vector(&self, role: &Role, layer: u32) -> Option<Vector> {
        let tensor = self.found.any(role, Some(layer))?;
        Some(Vector { tensor, row: 0, length: self.found.tensors[tensor].elements() as usize })
    }

    /// Whether a layer has such a tensor.
    pub(super) fn has(&self, role: &Role, layer: u32) -> bool {
        self.found.any(role, Some(layer)).is_some()
    }
}
