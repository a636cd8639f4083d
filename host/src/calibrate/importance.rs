//! Sums of squares by source tensor: what importance matrices are made of.

use crate::network::{feeds, head_feed};
use llmq_calibration::Entry;
use llmq_forward::Network;
use llmq_plugin_api::wire::{StatisticsPart, TensorDescription};
use std::collections::HashMap;

/// Sums of squares of the channels that arrive at every linear layer.
#[derive(Debug, Clone)]
pub struct Importance {
    /// By tensor: of it, or of each expert in it.
    sums: HashMap<u32, Vec<(Vec<f64>, u64)>>,
}

impl Importance {
    /// From entries, by tensors of these names.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>, entries: impl Iterator<Item = &'a Entry>) -> Importance {
        let indices: HashMap<&str, usize> = names.enumerate().map(|(index, name)| (name, index)).collect();
        let mut sums = HashMap::new();
        for entry in entries {
            for source in &entry.sources {
                let (Some(index), Some(records)) =
                    (indices.get(source.tensor.as_str()), entry.records_of(&source.tensor))
                else {
                    continue;
                };
                let vectors = records.iter().map(|record| (record.sum_squares.clone(), record.tokens)).collect();
                sums.insert(*index as u32, vectors);
            }
        }
        Importance { sums }
    }

    /// As large as those that a pass through a network will give, all of them ones.
    pub fn predicted(tensors: &[TensorDescription], network: &Network) -> Importance {
        let mut sums: HashMap<u32, Vec<(Vec<f64>, u64)>> = HashMap::new();
        for feed in network.layers.iter().flat_map(feeds).chain([head_feed(network)]) {
            for linear in &feed.linears {
                let vectors = sums.entry(*linear as u32).or_default();
                let several = feed.expert.is_some() && tensors[*linear].expert.is_none();
                if vectors.is_empty() || several {
                    vectors.push((vec![1.0; feed.columns], 1));
                }
            }
        }
        Importance { sums }
    }

    /// The sums of a source tensor or one expert of it, and the tokens that they are sums of.
    pub fn of(&self, part: StatisticsPart) -> Option<(&[f64], u64)> {
        let vectors = self.sums.get(&part.tensor)?;
        let (values, tokens) = vectors.get(part.expert.unwrap_or(0) as usize)?;
        Some((values, *tokens))
    }

    /// Channels that arrive at a tensor; 0 if nothing was seen of it.
    pub fn columns(&self, tensor: u32) -> usize {
        self.sums.get(&tensor).and_then(|vectors| vectors.first()).map_or(0, |(values, _)| values.len())
    }

    /// The vectors of a tensor: one, or one per expert in it.
    pub fn parts(&self, tensor: u32) -> Vec<StatisticsPart> {
        let count = self.sums.get(&tensor).map_or(0, Vec::len);
        (0..count).map(|expert| StatisticsPart { tensor, expert: (count > 1).then_some(expert as u32) }).collect()
    }

    /// Leaves a tensor out.
    pub fn forget(&mut self, tensor: u32) {
        self.sums.remove(&tensor);
    }
}
