//! What folding does to tensors: rows divided, columns multiplied, vectors divided.

use llmq_plugin_api::wire::{
    Consumer, Fold, ModelDescription, Producer, SmoothingGroup, StatisticsPart, TensorDescription,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Changes of tensors, by index.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    steps: BTreeMap<usize, Vec<Step>>,
    /// Factors of columns, by matrix.
    arriving: BTreeMap<StatisticsPart, Arc<[f32]>>,
}

/// What becomes of the input of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Arriving {
    /// Nothing.
    Same,
    /// It is divided.
    Divided(Arc<[f32]>),
    /// It is divided for every expert by something else, and the question was about all of them.
    Mixed,
}

/// One fold's change of one tensor, or of one expert's rows of it.
#[derive(Debug, Clone)]
struct Step {
    rows: Range<u64>,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    /// A divisor per row of the range.
    Rows(Vec<f32>),
    /// A factor per column. Shared by all matrices that read the same channels.
    Columns(Arc<[f32]>),
    /// A divisor per element of rows that are vectors, and what the model adds to the stored numbers.
    Elements { divisors: Vec<f32>, offset: f64 },
}

impl Changes {
    /// What some folds change. Scales fit the groups ([`super::fault`]).
    pub fn new(model: &ModelDescription, folds: &[Fold]) -> Changes {
        let mut changes = Changes::default();
        for fold in folds {
            let Some(group) = model.smoothing.get(fold.group as usize) else { continue };
            changes.add(model, group, &fold.scales);
        }
        changes
    }

    fn add(&mut self, model: &ModelDescription, group: &SmoothingGroup, scales: &[f32]) {
        for producer in &group.producers {
            let tensor = &model.tensors[producer.tensor as usize];
            let rows = own_rows(tensor, producer.expert);
            let divisors = divisors(producer, scales, divided(tensor, producer));
            let by = match is_vector(tensor, producer) {
                true => By::Elements { divisors, offset: producer.offset },
                false => By::Rows(divisors),
            };
            self.steps.entry(producer.tensor as usize).or_default().push(Step { rows, by });
        }
        let whole: Arc<[f32]> = scales.into();
        for consumer in &group.consumers {
            let tensor = &model.tensors[consumer.tensor as usize];
            let factors = factors(consumer, &whole, tensor);
            let part = StatisticsPart { tensor: consumer.tensor, expert: consumer.expert };
            self.arriving.insert(part, Arc::clone(&factors));
            let step = Step { rows: own_rows(tensor, consumer.expert), by: By::Columns(factors) };
            self.steps.entry(consumer.tensor as usize).or_default().push(step);
        }
    }

    /// Takes the changes of other tensors in.
    pub fn absorb(&mut self, other: Changes) {
        self.steps.extend(other.steps);
        self.arriving.extend(other.arriving);
    }

    /// What becomes of the input of a matrix, or of all experts of a tensor that holds several.
    pub(super) fn arriving(&self, part: StatisticsPart) -> Arriving {
        let whole = StatisticsPart { expert: None, ..part };
        if let Some(own) = self.arriving.get(&part).or_else(|| self.arriving.get(&whole)) {
            return Arriving::Divided(Arc::clone(own));
        }
        if part.expert.is_some() {
            return Arriving::Same;
        }
        let last = StatisticsPart { expert: Some(u32::MAX), ..part };
        let mut experts = self.arriving.range(part..=last).map(|(_, factors)| factors);
        match experts.next() {
            None => Arriving::Same,
            Some(first) if experts.all(|other| other == first) => Arriving::Divided(Arc::clone(first)),
            Some(_) => Arriving::Mixed,
        }
    }

    /// Whether a tensor is another one now.
    pub fn touch(&self, tensor: usize) -> bool {
        self.steps.contains_key(&tensor)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Changes rows of a tensor that were read from `first_row` on.
    pub fn apply(&self, tensor: usize, columns: usize, first_row: u64, rows: &mut [f32]) {
        for step in self.steps.get(&tensor).into_iter().flatten() {
            for (row, values) in (first_row..).zip(rows.chunks_exact_mut(columns.max(1))) {
                if step.rows.contains(&row) {
                    step.by.apply((row - step.rows.start) as usize, values);
                }
            }
        }
    }

    /// Bytes that they take, at most: what is shared is counted wherever it is used.
    pub fn bytes(model: &ModelDescription, group: &SmoothingGroup) -> u64 {
        let rows = |producer: &Producer| divided(&model.tensors[producer.tensor as usize], producer);
        // Heads that share values have a list of their own; all others share the scales themselves.
        let columns = |consumer: &Consumer| if consumer.repeats > 1 { group.channels * consumer.repeats } else { 0 };
        let numbers = group.channels
            + group.producers.iter().map(rows).sum::<u64>()
            + group.consumers.iter().map(columns).sum::<u64>();
        numbers.saturating_mul(size_of::<f32>() as u64)
    }
}

impl By {
    fn apply(&self, row: usize, values: &mut [f32]) {
        match self {
            By::Rows(divisors) if divisors[row] == 1.0 => {}
            By::Rows(divisors) => values.iter_mut().for_each(|w| *w /= divisors[row]),
            By::Columns(factors) => values.iter_mut().zip(&factors[..]).for_each(|(w, s)| *w *= s),
            // Where one is added later, half the digits of a small quotient would be lost in single precision.
            By::Elements { divisors, offset } => values
                .iter_mut()
                .zip(divisors)
                .for_each(|(w, s)| *w = ((f64::from(*w) + offset) / f64::from(*s) - offset) as f32),
        }
    }
}

/// Rows of a tensor, or of one expert of it.
fn own_rows(tensor: &TensorDescription, expert: Option<u32>) -> Range<u64> {
    let Some(expert) = expert.map(u64::from) else { return 0..tensor.rows() };
    let rows = tensor.rows() / tensor.shape.first().copied().unwrap_or(1).max(1);
    expert * rows..(expert + 1) * rows
}

/// Whether channels are elements of a tensor, or of one expert's row of it, and not rows.
fn is_vector(tensor: &TensorDescription, producer: &Producer) -> bool {
    tensor.shape.len() == 1 + usize::from(producer.expert.is_some())
}

/// Rows or elements that get a divisor, of 1 where they are no channel.
fn divided(tensor: &TensorDescription, producer: &Producer) -> u64 {
    let rows = own_rows(tensor, producer.expert);
    if is_vector(tensor, producer) { tensor.columns() } else { rows.end - rows.start }
}

fn divisors(producer: &Producer, scales: &[f32], length: u64) -> Vec<f32> {
    let mut divisors = vec![1.0; length as usize];
    for (channel, scale) in (0..).zip(scales) {
        if let Some(divisor) = divisors.get_mut(producer.row(channel) as usize) {
            *divisor = *scale;
        }
    }
    divisors
}

fn factors(consumer: &Consumer, scales: &Arc<[f32]>, tensor: &TensorDescription) -> Arc<[f32]> {
    if consumer.repeats <= 1 {
        return Arc::clone(scales);
    }
    (0..tensor.columns()).map(|column| scales[consumer.channel(column) as usize]).collect()
}

#[cfg(test)]
#[path = "changes_tests.rs"]
pub(super) mod tests;
