//! What can be wrong with scales before they are folded.

use llmq_plugin_api::wire::{Fold, ModelDescription};
use std::collections::BTreeSet;

/// Why these scales are none that a unit of a model can be folded with.
pub fn fault(model: &ModelDescription, unit: u32, folds: &[Fold]) -> Option<String> {
    let mut seen = BTreeSet::new();
    folds.iter().find_map(|fold| {
        let Some(group) = model.smoothing.get(fold.group as usize) else {
            return Some(format!("they are for group {}, and the model has {}", fold.group, model.smoothing.len()));
        };
        let name = &group.name;
        if group.unit != unit {
            let other = model.units.get(group.unit as usize).map_or("another", |unit| unit.id.as_str());
            return Some(format!("they are for group `{name}`, which belongs to unit `{other}`"));
        }
        if !seen.insert(fold.group) {
            return Some(format!("group `{name}` is there twice"));
        }
        let (given, channels) = (fold.scales.len(), group.channels);
        if given as u64 != channels {
            return Some(format!("group `{name}` has {channels} channels and was given {given} scales"));
        }
        let usable = |scale: &f32| scale.is_finite() && *scale > 0.0;
        let wrong = fold.scales.iter().position(|scale| !usable(scale))?;
        Some(format!("scale {wrong} of group `{name}` is {}, and only positive finite ones can be", fold.scales[wrong]))
    })
}
