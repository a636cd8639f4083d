//! Which tensors of a model can have an entry in an importance matrix, and which source tensors these are.

use crate::arch;
use crate::session::{Gathered, collect, gather};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, StatisticsName, StatisticsNames, StatisticsPart};
use std::collections::HashSet;

/// The names of a model's matrices.
pub(crate) fn names(model: &ModelDescription) -> Result<StatisticsNames, Error> {
    if model.stored_as.is_some() {
        return Ok(StatisticsNames { names: named(&gather(model)?) });
    }
    let arch = arch::by_family(&model.family).ok_or_else(|| {
        let message = format!("the family `{}` of this model has no GGUF names", model.family);
        Error::new(Kind::UnsupportedModel, message).subject(&model.architecture)
    })?;
    Ok(StatisticsNames { names: named(&collect(arch, model)?.tensors) })
}

/// The same for tensors that were collected already: all matrices, those that are never quantized included, because
/// llama-imatrix collects at each of them.
///
/// Where one source tensor becomes several matrices, only the first of them is named: statistics are held by source
/// tensor, and vectors of different matrices must not stand in for each other.
pub(crate) fn named(tensors: &[Gathered]) -> Vec<StatisticsName> {
    let mut claimed = HashSet::new();
    let mut names = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.ne.len() >= 2 && tensor.name.ends_with(".weight")) {
        let parts = parts(tensor);
        if !parts.is_empty() && parts.iter().all(|part| claimed.insert(*part)) {
            names.push(StatisticsName { name: tensor.name.clone(), columns: tensor.ne[0], parts });
        }
    }
    names
}

/// The source of each matrix: one tensor per expert, or one tensor that holds all of them.
fn parts(tensor: &Gathered) -> Vec<StatisticsPart> {
    let sources = tensor.sources();
    let matrices: u64 = tensor.ne.iter().skip(2).product();
    match sources {
        [only] if matrices > 1 => (0..matrices.min(u64::from(u32::MAX)))
            .map(|expert| StatisticsPart { tensor: *only as u32, expert: Some(expert as u32) })
            .collect(),
        all => all.iter().map(|source| StatisticsPart { tensor: *source as u32, expert: None }).collect(),
    }
}
