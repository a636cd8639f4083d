//! What an analysis finds in the statistics of a calibration: outlier channels, idle experts, super weights.

mod experts;
mod layers;
mod outliers;
mod super_weights;

pub use experts::{ExpertCoverage, RARE_SHARE, expert_coverage};
pub use layers::{LayerImportance, TensorFigures, layer_importance};
pub use outliers::{ChannelOutlier, ChannelOutliers, OUTLIER_RATIO, OutlierKind, outlier_channels};
pub use super_weights::{
    DominantTerm, DownProjection, Peak, SuperWeight, SuperWeightRule, dominant_term, share_of_term, super_weights,
};

/// Statistics that no finding can be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FindingError {
    /// Two vectors over the same channels differ in length.
    #[error("{what} has {found} values for {expected} channels")]
    Length {
        /// Which vector.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Channels.
        expected: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what} of channel {channel} is {value}; the statistics are damaged, gather them anew")]
    NotFinite {
        /// Which figure.
        what: &'static str,
        /// Channel.
        channel: usize,
        /// Its value.
        value: f64,
    },
}

/// The value in the middle, or the mean of the two in the middle; `None` for no values.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { 0.5 * (upper + sorted[middle - 1]) } else { upper })
}
