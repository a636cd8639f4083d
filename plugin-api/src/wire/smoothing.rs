//! Channels between two operations that may be scaled down behind the first and up in front of the second. Since 1.2.
//!
//! Where only a linear operation (the weights of a norm, the rows of a matrix) lies in front of a channel and every reader of
//! the channel is a matrix, dividing the first by a positive s and multiplying the columns of all others by s changes
//! nothing but how well the weights can be quantized (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438; AWQ, Lin et al.
//! 2024, arXiv:2306.00978). The host knows which channels these are, folds, and checks that nothing changed; a backend
//! only says by how much.

use super::UnitReport;
use serde::{Deserialize, Deserializer, Serialize};

/// Channels that may be scaled. Channel `c` of `channels` has one scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmoothingGroup {
    /// Stable name for messages, for example `model.layers.0: input_layernorm -> q_proj, k_proj, v_proj`.
    pub name: String,
    /// Unit that holds all of it.
    pub unit: u32,
    /// Scales that it takes.
    pub channels: u64,
    /// What lies in front.
    pub kind: SmoothingKind,
    /// What is divided by the scales: weight and bias of a norm, or rows of a matrix and its bias.
    pub producers: Vec<Producer>,
    /// Every matrix that reads the channels, quantized or not: its columns are multiplied by the scales.
    pub consumers: Vec<Consumer>,
    /// Why this group is better left alone unless somebody asks, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caution: String,
}

/// What lies in front of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmoothingKind {
    /// A norm.
    Norm,
    /// The matrix of values, behind which attention only averages.
    Values,
    /// The matrix whose output is multiplied by the activated gate.
    Up,
    /// Anything that a later host knows.
    #[serde(other)]
    Other,
}

/// A tensor whose elements (a vector) or rows (a matrix) make the channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Producer {
    /// Tensor index.
    pub tensor: u32,
    /// Expert, where the tensor holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<u32>,
    /// Row of channel 0, counted within the expert where one is named.
    pub first_row: u64,
    /// Channels that lie behind each other.
    pub run: u64,
    /// Rows from the beginning of one run to the next.
    pub stride: u64,
    /// What the model adds to the stored number before it multiplies: 1 for norms that store their distance from one.
    #[serde(default)]
    pub offset: f64,
}

impl Producer {
    /// The row of a channel.
    pub fn row(&self, channel: u64) -> u64 {
        let run = self.run.max(1);
        self.first_row + channel / run * self.stride + channel % run
    }
}

/// A matrix that reads the channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    /// Tensor index.
    pub tensor: u32,
    /// Expert, where the tensor holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<u32>,
    /// Neighbouring columns that belong to neighbouring channels: one head, or all of them.
    pub run: u64,
    /// Runs of columns that read the same run of channels: query heads for each head of values. 1 without sharing.
    pub repeats: u64,
}

impl Consumer {
    /// The channel that a column reads.
    pub fn channel(&self, column: u64) -> u64 {
        let run = self.run.max(1);
        column / run / self.repeats.max(1) * run + column % run
    }
}

/// What a backend wants scaled in one unit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Folds {
    /// One per group, in any order; groups without one keep their scales.
    pub folds: Vec<Fold>,
    /// What the search found; it becomes a part of the unit's report.
    #[serde(default)]
    pub report: UnitReport,
}

/// Scales of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Index into [`super::ModelDescription::smoothing`].
    pub group: u32,
    /// One per channel, positive and finite.
    #[serde(deserialize_with = "numbers")]
    pub scales: Vec<f32>,
}

/// JSON has no word for what is no finite number and writes null; the host refuses it with its place.
fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    let scales = Vec::<Option<f32>>::deserialize(from)?;
    Ok(scales.into_iter().map(|scale| scale.unwrap_or(f32::NAN)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_heads_read_the_head_of_values_they_share() {
        // Four query heads on two heads of values, two wide.
        let consumer = Consumer { tensor: 0, expert: None, run: 2, repeats: 2 };
        let channels: Vec<u64> = (0..8).map(|column| consumer.channel(column)).collect();
        assert_eq!(channels, [0, 1, 0, 1, 2, 3, 2, 3]);
        let whole = Consumer { run: 8, repeats: 1, ..consumer };
        assert!((0..8).all(|column| whole.channel(column) == column));
    }

    #[test]
    fn scales_come_through_bit_for_bit_and_what_is_no_number_as_nan() {
        let scales = vec![0.1, f32::MIN_POSITIVE, 1.0 / 3.0, f32::MAX, f32::INFINITY];
        let text = crate::wire::encode(&Fold { group: 1, scales: scales.clone() });
        let back: Fold = crate::wire::decode("fold", &text).unwrap();
        assert_eq!(back.scales[..4], scales[..4]);
        assert!(back.scales[4].is_nan());
    }

    #[test]
    fn values_may_lie_between_other_rows() {
        let producer = Producer { tensor: 0, expert: None, first_row: 4, run: 2, stride: 6, offset: 0.0 };
        let rows: Vec<u64> = (0..4).map(|channel| producer.row(channel)).collect();
        assert_eq!(rows, [4, 5, 10, 11]);
    }
}
