//! What folding does to tensors, on a few numbers.

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
    // Two scales, a divisor for each of four rows and of four biases, a factor for each of four columns.
    assert_eq!(Changes::bytes(&model, &model.smoothing[0]), 4 * (2 + 4 + 4 + 4));
}

#[test]
fn a_sum_over_experts_is_divided_only_if_they_agree() {
    let mut model = one_norm_two_readers();
    model.tensors[1].shape = vec![2, 2, 2];
    let of = |expert| Consumer { tensor: 1, expert: Some(expert), run: 2, repeats: 1 };
    model.smoothing[0].consumers = vec![of(0)];
    model.smoothing.push(SmoothingGroup { consumers: vec![of(1)], ..model.smoothing[0].clone() });
    let folds = |second: f32| [Fold { group: 0, scales: vec![2.0, 4.0] }, Fold { group: 1, scales: vec![second, 4.0] }];
    let part = |expert| StatisticsPart { tensor: 1, expert };
    let same = Changes::new(&model, &folds(2.0));
    assert!(matches!(same.arriving(part(None)), Arriving::Divided(_)));
    let other = Changes::new(&model, &folds(3.0));
    assert_eq!(other.arriving(part(None)), Arriving::Mixed);
    assert_eq!(other.arriving(part(Some(1))), Arriving::Divided([3.0, 4.0].into()));
}
