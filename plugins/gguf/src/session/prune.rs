//! Layers left out: their tensors go, the others are renumbered.

use super::collect::{Gathered, Origin};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::ModelDescription;
use std::collections::BTreeSet;

/// The layers that `0,3,7-9` names, in a model of `layers` layers.
///
/// # Errors
/// Words that are no layers, layers that the model does not have, or all of them.
pub(super) fn layers_of(text: &str, layers: u32) -> Result<BTreeSet<u32>, Error> {
    let refused = |message: String| {
        Error::new(Kind::InvalidRequest, message)
            .subject("prune_layers")
            .hint(format!("the model has the layers 0 to {}; write for example 1,3 or 20-23", layers.saturating_sub(1)))
    };
    let mut chosen = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |word: &str| word.trim().parse::<u32>().ok();
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(refused(format!("--prune-layers: `{part}` is neither a layer nor a range of layers")));
        };
        if first > last {
            return Err(refused(format!("--prune-layers: the range `{part}` runs backwards")));
        }
        if last >= layers {
            return Err(refused(format!("--prune-layers: the model has no layer {last}")));
        }
        chosen.extend(first..=last);
    }
    if chosen.len() >= layers as usize {
        return Err(refused("--prune-layers names every layer; nothing would remain".to_owned()));
    }
    Ok(chosen)
}

/// Removes the tensors of `pruned` layers and renumbers the others.
/// Returns the source tensors that are left out, with the reason.
pub(super) fn prune(
    tensors: &mut Vec<Gathered>,
    pruned: &BTreeSet<u32>,
    model: &ModelDescription,
) -> Vec<(String, String)> {
    let mut dropped = Vec::new();
    for mut tensor in std::mem::take(tensors) {
        let Some((layer, rest)) = block(&tensor.name) else {
            tensors.push(tensor);
            continue;
        };
        if !pruned.contains(&layer) {
            let before = pruned.range(..layer).count() as u32;
            tensor.name = format!("blk.{}.{rest}", layer - before);
            tensors.push(tensor);
        } else if let Origin::Sources { parts, .. } = &tensor.origin {
            let names = parts.iter().map(|part| model.tensors[*part].name.clone());
            dropped.extend(names.map(|name| (name, format!("layer {layer} is pruned"))));
        }
    }
    dropped
}

fn block(name: &str) -> Option<(u32, &str)> {
    let (number, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_numbers_and_ranges_within_the_model() {
        assert_eq!(layers_of("0, 5,2-3", 8).unwrap(), [0, 2, 3, 5].into());
        for (text, words) in [
            ("", "neither a layer"),
            ("1,x", "`x` is neither"),
            ("8", "no layer 8"),
            ("5-2", "runs backwards"),
            ("0-7", "nothing would remain"),
            ("0-4294967295", "no layer 4294967295"),
        ] {
            let message = layers_of(text, 8).unwrap_err().message;
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
