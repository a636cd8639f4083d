//! Outlier channels of a linear's input: those that stand far above the channel in the middle.

use super::{FindingError, median};
use serde::{Deserialize, Serialize};

/// A channel this many times above the median is an outlier.
///
/// The channels of one linear's input usually lie within a factor of about four of each other, also in models with strong
/// norm weights; the channels for which 8-bit activations fail stand out by 20 to 100 (SmoothQuant, arXiv 2211.10438).
pub const OUTLIER_RATIO: f64 = 10.0;

/// How a channel stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutlierKind {
    /// For most tokens: its root mean square is an outlier. Scaling the channel helps (SmoothQuant, AWQ).
    Persistent,
    /// For single tokens only: its largest value is an outlier, its root mean square is not.
    Spike,
}

/// One outlier channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChannelOutlier {
    /// Channel (column of the weight).
    pub channel: usize,
    /// How it stands out.
    pub kind: OutlierKind,
    /// Largest |x|.
    pub largest: f64,
    /// Root mean square.
    pub rms: f64,
    /// `largest` over the median of all channels.
    pub largest_ratio: f64,
    /// `rms` over the median of all channels.
    pub rms_ratio: f64,
}

impl ChannelOutlier {
    /// The larger of both ratios.
    pub fn ratio(&self) -> f64 {
        self.largest_ratio.max(self.rms_ratio)
    }
}

/// The outlier channels of one linear's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelOutliers {
    /// The linear.
    pub tensor: String,
    /// Its layer, if it is in one.
    pub layer: Option<u32>,
    /// Channels of the input.
    pub channels: usize,
    /// Channels that are zero throughout; they count in no median.
    pub silent: usize,
    /// Ratio from which a channel is listed.
    pub threshold: f64,
    /// Median of the channels' largest |x|.
    pub median_largest: f64,
    /// Median of the channels' root mean squares.
    pub median_rms: f64,
    /// Outliers, largest ratio first, then by channel.
    pub outliers: Vec<ChannelOutlier>,
}

/// Finds the outlier channels of a linear's input from its channels' `largest` |x| and root mean squares `rms`. A channel is
/// one if either is at least `threshold` ([`OUTLIER_RATIO`]) times the median of all channels that are not silent.
///
/// # Errors
/// Vectors of different lengths, or values that are not finite.
pub fn outlier_channels(
    tensor: &str,
    layer: Option<u32>,
    largest: &[f32],
    rms: &[f64],
    threshold: f64,
) -> Result<ChannelOutliers, FindingError> {
    if rms.len() != largest.len() {
        return Err(FindingError::Length { what: "the root mean square", found: rms.len(), expected: largest.len() });
    }
    let finite = |what, channel, value: f64| match value.is_finite() {
        true => Ok(value.abs()),
        false => Err(FindingError::NotFinite { what, channel, value }),
    };
    let mut channels = Vec::with_capacity(largest.len());
    for (channel, (largest, rms)) in largest.iter().zip(rms).enumerate() {
        let largest = finite("the largest value", channel, f64::from(*largest))?;
        channels.push((largest, finite("the root mean square", channel, *rms)?));
    }
    let sounding = || channels.iter().filter(|(largest, rms)| *largest > 0.0 || *rms > 0.0);
    let median_largest = median(sounding().map(|(largest, _)| *largest)).unwrap_or(0.0);
    let median_rms = median(sounding().map(|(_, rms)| *rms)).unwrap_or(0.0);
    let ratio = |value: f64, median: f64| if median > 0.0 { value / median } else { 0.0 };
    let mut outliers: Vec<ChannelOutlier> = channels
        .iter()
        .enumerate()
        .map(|(channel, (largest, rms))| {
            let (largest_ratio, rms_ratio) = (ratio(*largest, median_largest), ratio(*rms, median_rms));
            let kind = if rms_ratio >= threshold { OutlierKind::Persistent } else { OutlierKind::Spike };
            ChannelOutlier { channel, kind, largest: *largest, rms: *rms, largest_ratio, rms_ratio }
        })
        .filter(|outlier| outlier.ratio() >= threshold)
        .collect();
    outliers.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()).then(a.channel.cmp(&b.channel)));
    Ok(ChannelOutliers {
        tensor: tensor.to_owned(),
        layer,
        channels: channels.len(),
        silent: channels.len() - sounding().count(),
        threshold,
        median_largest,
        median_rms,
        outliers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 channels within a factor of four of each other.
    fn ordinary() -> (Vec<f32>, Vec<f64>) {
        let rms: Vec<f64> = (0..64).map(|channel| 0.5 + 1.5 * f64::from(channel * 29 % 64) / 64.0).collect();
        (rms.iter().map(|rms| (rms * 4.0) as f32).collect(), rms)
    }

    fn find(largest: &[f32], rms: &[f64]) -> ChannelOutliers {
        outlier_channels("q", Some(3), largest, rms, OUTLIER_RATIO).unwrap()
    }

    #[test]
    fn ordinary_channels_are_none() {
        let (largest, rms) = ordinary();
        let found = find(&largest, &rms);
        assert!(found.outliers.is_empty());
        assert_eq!((found.channels, found.silent, found.layer), (64, 0, Some(3)));
        assert!((1.0..1.5).contains(&found.median_rms));
    }

    #[test]
    fn planted_channels_are_found_in_order() {
        let (mut largest, mut rms) = ordinary();
        (largest[17], rms[17]) = (400.0, 80.0);
        largest[40] = 90.0;
        (largest[5], rms[5]) = (60.0, 14.0);
        let found = find(&largest, &rms);
        let kinds: Vec<_> = found.outliers.iter().map(|outlier| (outlier.channel, outlier.kind)).collect();
        assert_eq!(kinds, [(17, OutlierKind::Persistent), (40, OutlierKind::Spike), (5, OutlierKind::Persistent)]);
        assert_eq!((found.outliers[0].largest, found.outliers[0].rms), (400.0, 80.0));
        assert!(found.outliers[0].ratio() > 60.0);
    }

    #[test]
    fn silent_channels_move_no_median() {
        let (mut largest, mut rms) = (vec![0.0; 100], vec![0.0; 100]);
        for channel in 0..10 {
            (largest[channel], rms[channel]) = (1.0, 0.3);
        }
        largest[4] = 25.0;
        let found = find(&largest, &rms);
        assert_eq!((found.silent, found.median_largest), (90, 1.0));
        assert_eq!(found.outliers.len(), 1);
        assert_eq!((found.outliers[0].channel, found.outliers[0].kind), (4, OutlierKind::Spike));
        assert!(find(&[0.0; 4], &[0.0; 4]).outliers.is_empty());
        assert!(find(&[], &[]).outliers.is_empty());
    }

    #[test]
    fn damaged_statistics_are_refused() {
        let refused = |largest: &[f32], rms: &[f64]| {
            outlier_channels("q", None, largest, rms, OUTLIER_RATIO).unwrap_err().to_string()
        };
        assert_eq!(refused(&[1.0; 3], &[1.0; 2]), "the root mean square has 2 values for 3 channels");
        assert!(refused(&[1.0, f32::NAN], &[1.0; 2]).starts_with("the largest value of channel 1 is NaN"));
        assert!(refused(&[1.0; 2], &[f64::INFINITY, 1.0]).starts_with("the root mean square of channel 0 is inf"));
    }
}
