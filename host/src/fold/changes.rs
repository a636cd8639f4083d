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
    /// What some folds change. Scales fit the groups ([`super::check`]).
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
            let is_vector = tensor.shape.len() == 1 + usize::from(producer.expert.is_some());
            let length = if is_vector { tensor.columns() } else { rows.end - rows.start };
            let divisors = divisors(producer, scales, length);
            let by = match is_vector {
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
        let rows = |producer: &Producer| {
            let tensor = &model.tensors[producer.tensor as usize];
            tensor.rows().max(tensor.columns().min(group.channels))
        };
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
pub(super) mod tests {
    use super::*;
    use llmq_plugin_api::wire::{Role, SmoothingKind};

    /// A norm (tensor 0, stored around zero), two matrices that read it (1 and 2), and one that does not (3).
    pub fn one_norm_two_readers() -> ModelDescription {
        let mut model = crate::check::Specimen::odd().description;
        let tensor = |shape: &[u64]| TensorDescription {
            name: "t".into(),
            role: Role::AttnQ,
            part: "weight".into(),
            unit: 1,
            layer: Some(0),
            expert: None,
            head: None,
            dtype: "F32".into(),
            shape: shape.to_vec(),
        };
        model.tensors = vec![tensor(&[2]), tensor(&[2, 2]), tensor(&[2, 2]), tensor(&[2, 2])];
        let producer = Producer { tensor: 0, expert: None, first_row: 0, run: 2, stride: 2, offset: 1.0 };
        let consumer = |tensor| Consumer { tensor, expert: None, run: 2, repeats: 1 };
        model.smoothing = vec![SmoothingGroup {
            name: "norm -> both".into(),
            unit: 1,
            channels: 2,
            kind: SmoothingKind::Norm,
            producers: vec![producer],
            consumers: vec![consumer(1), consumer(2)],
            caution: String::new(),
        }];
        model
    }

    fn applied(changes: &Changes, tensor: usize, columns: usize, first_row: u64, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        changes.apply(tensor, columns, first_row, &mut values);
        values
    }

    #[test]
    fn norms_are_divided_with_their_offset_and_columns_multiplied() {
        let model = one_norm_two_readers();
        let changes = Changes::new(&model, &[Fold { group: 0, scales: vec![2.0, 4.0] }]);
        assert_eq!(applied(&changes, 0, 2, 0, &[1.0, -0.5]), [0.0, -0.875]);
        assert_eq!(applied(&changes, 1, 2, 1, &[1.0, 1.0]), [2.0, 4.0]);
        assert_eq!(applied(&changes, 3, 2, 0, &[1.0, 1.0]), [1.0, 1.0]);
        assert!(changes.touch(0) && changes.touch(2) && !changes.touch(3));
    }

    #[test]
    fn rows_between_others_and_single_experts_are_found() {
        let mut model = one_norm_two_readers();
        // Two experts of four rows; the channels are rows 1 and 3 of the second, read by two heads each.
        model.tensors[1].shape = vec![2, 4, 2];
        model.tensors[2].shape = vec![2, 4];
        model.tensors[3].shape = vec![1, 4];
        let group = &mut model.smoothing[0];
        let of = |tensor| Producer { tensor, expert: Some(1), first_row: 1, run: 1, stride: 2, offset: 0.0 };
        group.producers = vec![of(1), of(2)];
        group.consumers = vec![Consumer { tensor: 3, expert: None, run: 1, repeats: 2 }];
        let changes = Changes::new(&model, &[Fold { group: 0, scales: vec![2.0, 4.0] }]);
        let rows: Vec<f32> = [1.0; 16].to_vec();
        let matrix = applied(&changes, 1, 2, 0, &rows);
        assert_eq!(matrix[..8], [1.0; 8]);
        assert_eq!(matrix[8..], [1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.25, 0.25]);
        assert_eq!(applied(&changes, 1, 2, 5, &[1.0, 1.0]), [0.5, 0.5]);
        assert_eq!(applied(&changes, 2, 4, 0, &[1.0; 8]), [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 0.25]);
        assert_eq!(applied(&changes, 3, 4, 0, &[1.0; 4]), [2.0, 2.0, 4.0, 4.0]);
    }

    #[test]
    fn a_sum_over_experts_is_divided_only_if_they_agree() {
        let mut model = one_norm_two_readers();
        model.tensors[1].shape = vec![2, 2, 2];
        let of = |expert| Consumer { tensor: 1, expert: Some(expert), run: 2, repeats: 1 };
        model.smoothing[0].consumers = vec![of(0)];
        model.smoothing.push(SmoothingGroup { consumers: vec![of(1)], ..model.smoothing[0].clone() });
        let folds =
            |second: f32| [Fold { group: 0, scales: vec![2.0, 4.0] }, Fold { group: 1, scales: vec![second, 4.0] }];
        let part = |expert| StatisticsPart { tensor: 1, expert };
        let same = Changes::new(&model, &folds(2.0));
        assert!(matches!(same.arriving(part(None)), Arriving::Divided(_)));
        let other = Changes::new(&model, &folds(3.0));
        assert_eq!(other.arriving(part(None)), Arriving::Mixed);
        assert_eq!(other.arriving(part(Some(1))), Arriving::Divided([3.0, 4.0].into()));
    }
}
