//! What a job wants of statistics, wherever they come from: offers for the plan, values for one unit at a time.

use crate::failure::Failure;
use llmq_plugin_api::sdk::{Statistic, StatisticKind};
use llmq_plugin_api::wire::{StatisticsOffer, StatisticsOrigin, StatisticsPart};
use std::borrow::Cow;

/// Statistics of one model, by source tensor.
pub trait Measured: Send + Sync {
    /// What a backend may count on.
    fn offers(&self) -> Vec<StatisticsOffer>;

    /// Where they come from, for formats that record it.
    fn origin(&self) -> &StatisticsOrigin;

    /// Checksum of everything that can reach the output.
    fn checksum(&self) -> String;

    /// Bytes that [`Measured::load`] takes for the same arguments, until what it gives is dropped.
    fn bytes(&self, tensors: &[usize], kinds: &[StatisticKind]) -> u64;

    /// Statistics of some tensors, those of these kinds that are there.
    ///
    /// # Errors
    /// Files that are damaged or were changed since they were opened.
    fn load(&self, tensors: &[usize], kinds: &[StatisticKind]) -> Result<Handful<'_>, Failure>;

    /// The parts in which tensors of one unit are handed in, one after the other; each tensor is in one of them.
    fn parts(&self, tensors: &[usize]) -> Vec<Vec<usize>> {
        vec![tensors.to_vec()]
    }

    /// Told when tensors are in the output.
    fn written(&self, tensors: &[usize]) {
        let _ = tensors;
    }

    /// What is odd; nothing that forbids use.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// Values of a few tensors. What several tensors share is there once.
#[derive(Debug, Default)]
pub struct Handful<'a> {
    pub(crate) blocks: Vec<Block<'a>>,
    pub(crate) uses: Vec<(StatisticsPart, usize)>,
}

/// One measure of one input.
#[derive(Debug)]
pub struct Block<'a> {
    /// What was measured.
    pub kind: StatisticKind,
    /// Tokens that went in.
    pub count: u64,
    /// `[k]`, `[k, k]` or `[n, k]`, by kind.
    pub shape: Vec<u64>,
    /// The values, row-major.
    pub values: Cow<'a, [f32]>,
}

impl<'a> Handful<'a> {
    /// Adds values, which nobody uses yet. Returns their number.
    pub fn keep(&mut self, block: Block<'a>) -> usize {
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    /// Says that the values of a number are those of a tensor, or of one expert of it.
    pub fn give(&mut self, part: StatisticsPart, block: usize) {
        self.uses.push((part, block));
    }

    /// As a backend is handed them.
    pub fn views(&self) -> Vec<Statistic<'_>> {
        let view = |(part, block): &(StatisticsPart, usize)| {
            let block = &self.blocks[*block];
            Statistic {
                tensor: part.tensor as usize,
                expert: part.expert,
                kind: block.kind,
                count: block.count,
                shape: &block.shape,
                values: &block.values,
            }
        };
        self.uses.iter().map(view).collect()
    }
}
