//! Which tensors of a model can have an entry in an importance matrix, and which source tensors these are.

use crate::arch;
use crate::session::{Gathered, collect, gather};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, StatisticsName, StatisticsNames, StatisticsPart};
use std::collections::HashMap;

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
/// Statistics are held by source tensor. Where a source becomes several matrices (experts in one tensor, halves of a fused
/// one, keys and values of latent attention), its vectors are numbered through, matrix after matrix in the order in which
/// the tensors were collected. So the first ones are those of the experts whatever follows.
pub(crate) fn named(tensors: &[Gathered]) -> Vec<StatisticsName> {
    let mut taken: HashMap<usize, u32> = HashMap::new();
    let mut names = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.ne.len() >= 2 && tensor.name.ends_with(".weight")) {
        let parts = parts(tensor, &mut taken);
        if !parts.is_empty() {
            names.push(StatisticsName { name: tensor.name.clone(), columns: tensor.ne[0], parts });
        }
    }
    names
}

/// The vector of each matrix: one tensor per expert, or one tensor that holds all of them. `taken` counts the vectors that
/// a source tensor has already.
fn parts(tensor: &Gathered, taken: &mut HashMap<usize, u32>) -> Vec<StatisticsPart> {
    let sources = tensor.sources();
    let held: u64 = tensor.ne.iter().skip(2).product();
    let matrices = if sources.len() == 1 { held.clamp(1, u64::from(u32::MAX)) as u32 } else { 1 };
    let mut parts = Vec::new();
    for source in sources {
        let before = taken.get(source).copied().unwrap_or(0);
        let all = before.saturating_add(matrices);
        let alone = before == 0 && matrices == 1;
        parts.extend((before..all).map(|n| StatisticsPart { tensor: *source as u32, expert: (!alone).then_some(n) }));
        taken.insert(*source, all);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::View;
    use crate::session::Origin;

    fn tensor(name: &str, ne: &[u64], parts: &[usize]) -> Gathered {
        let origin = Origin::Sources { parts: parts.to_vec(), view: View::plain(1, 1), shift: 0.0 };
        Gathered { name: format!("{name}.weight"), ne: ne.to_vec(), unit: 0, origin }
    }

    #[test]
    fn vectors_of_one_source_are_numbered_through() {
        let names = named(&[
            tensor("plain", &[8, 4], &[0]),
            tensor("k_b", &[2, 8, 3], &[1]),
            tensor("v_b", &[8, 2, 3], &[1]),
            tensor("stack", &[8, 4, 2], &[2, 3]),
            tensor("q", &[8, 4], &[4]),
            tensor("k", &[8, 2], &[4]),
            tensor("norm", &[8], &[5]),
        ]);
        let part = |tensor, expert| StatisticsPart { tensor, expert };
        let numbered = |tensor, range: std::ops::Range<u32>| range.map(|n| part(tensor, Some(n))).collect::<Vec<_>>();
        let found: Vec<_> = names.iter().map(|name| (name.name.as_str(), name.columns, name.parts.clone())).collect();
        assert_eq!(
            found,
            [
                ("plain.weight", 8, vec![part(0, None)]),
                ("k_b.weight", 2, numbered(1, 0..3)),
                ("v_b.weight", 8, numbered(1, 3..6)),
                ("stack.weight", 8, vec![part(2, None), part(3, None)]),
                ("q.weight", 8, vec![part(4, None)]),
                ("k.weight", 8, numbered(4, 1..2)),
            ]
        );
    }
}
