//! One-parameter families of scales, as AWQ has them.
//!
//! ```text
//! duo:    s_c = x_c^r / (w_c^(1-r) + 1e-4)        plain:  s_c = x_c^r        r from 0 to 1
//! ```
//!
//! x_c is the mean magnitude of channel c's input; w_c the mean magnitude of its weights, each taken relative to the largest of
//! its group. Both then are divided by sqrt(max s * min s), so that as much is scaled up as down. (Lin et al., arXiv
//! 2306.00978, section 3.2; `duo` as in AutoAWQ.) `plain` at r = 0 is no scaling at all.
//!
//! Unlike there, channels that say nothing (no input, no weights, numbers that are not finite) keep scale 1 and do not take
//! part in the normalisation: at the 1e-4 they are clamped to elsewhere, one dead channel moves all others.

/// Magnitudes of the channels.
#[derive(Debug, Clone, Copy)]
pub struct Channels<'a> {
    /// Mean |x| of each channel.
    pub inputs: &'a [f32],
    /// Mean relative |w| of each channel, see [`crate::Strength`].
    pub weights: &'a [f32],
}

/// Which family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Inputs against weights.
    Duo,
    /// Inputs alone.
    Plain,
}

impl Family {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Family::Duo => "duo",
            Family::Plain => "plain",
        }
    }
}

/// Largest scale; the smallest is one through it. A norm of half precision divided by more would leave its range, and no
/// search on the models of the tests came near.
pub const MOST: f64 = 256.0;
/// Keeps columns with next to no weights from any scale.
const FLOOR: f64 = 1e-4;

impl Channels<'_> {
    fn is_silent(&self, channel: usize) -> bool {
        let sound = |value: f32| value.is_finite() && value > 0.0;
        !(sound(self.inputs[channel]) && sound(self.weights[channel]))
    }

    /// The scales of a family at a ratio.
    pub fn scales(&self, family: Family, ratio: f64) -> Vec<f32> {
        let scale = |channel: usize| {
            let (x, w) = (f64::from(self.inputs[channel]), f64::from(self.weights[channel]));
            let against = match family {
                Family::Duo => libm::pow(w, 1.0 - ratio) + FLOOR,
                Family::Plain => 1.0,
            };
            (libm::pow(x, ratio) / against).max(FLOOR)
        };
        let raw: Vec<Option<f64>> =
            (0..self.inputs.len()).map(|channel| (!self.is_silent(channel)).then(|| scale(channel))).collect();
        let (low, high) = raw
            .iter()
            .flatten()
            .fold((f64::INFINITY, 0.0f64), |(low, high), scale| (low.min(*scale), high.max(*scale)));
        let middle = (low * high).sqrt();
        let fitted = |scale: f64| (scale / middle).clamp(1.0 / MOST, MOST) as f32;
        raw.into_iter().map(|scale| scale.map_or(1.0, fitted)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_at_nothing_is_one_and_at_one_follows_the_inputs() {
        let channels = Channels { inputs: &[0.5, 2.0, 8.0], weights: &[0.3, 0.3, 0.3] };
        assert_eq!(channels.scales(Family::Plain, 0.0), [1.0, 1.0, 1.0]);
        // sqrt(0.5 * 8) = 2.
        assert_eq!(channels.scales(Family::Plain, 1.0), [0.25, 1.0, 4.0]);
        let duo = channels.scales(Family::Duo, 1.0);
        assert!((duo[2] / duo[0] - 16.0).abs() < 1e-3, "{duo:?}");
    }

    #[test]
    fn silent_channels_keep_theirs_and_move_nobody() {
        let loud = Channels { inputs: &[1.0, 4.0], weights: &[0.1, 0.2] };
        let all = Channels { inputs: &[1.0, 0.0, 4.0, f32::NAN, 3.0], weights: &[0.1, 0.2, 0.2, 0.1, 0.0] };
        for (family, ratio) in [(Family::Duo, 0.5), (Family::Plain, 0.7)] {
            let (two, five) = (loud.scales(family, ratio), all.scales(family, ratio));
            assert_eq!(five, [two[0], 1.0, two[1], 1.0, 1.0]);
        }
        let none = Channels { inputs: &[0.0], weights: &[0.0] };
        assert_eq!(none.scales(Family::Duo, 0.5), [1.0]);
    }

    #[test]
    fn scales_stay_within_what_half_precision_stands() {
        let channels = Channels { inputs: &[1e-30, 1.0, 1e30], weights: &[0.1, 0.1, 0.1] };
        let scales = channels.scales(Family::Plain, 1.0);
        assert!(scales.iter().all(|scale| (1.0 / 256.0..=256.0).contains(scale)), "{scales:?}");
    }
}
