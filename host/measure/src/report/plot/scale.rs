//! Where a value lies on an axis, and which values are written beside it.

use crate::report::numbers::significant;

/// Even, or by powers of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Even { low: f64, high: f64, step: f64 },
    Powers { low: i32, high: i32 },
}

/// Values further apart than this are shown by powers of ten.
const WIDE: f64 = 200.0;

impl Scale {
    /// From zero, or from the least negative value's step, up to a round number above all values.
    pub(super) fn even(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
        let step = step(high - low);
        let low = (low / step).floor() * step;
        Self::Even { low, high: ((high / step).ceil() * step).max(low + step), step }
    }

    /// Even from zero, or by powers of ten where positive values lie far apart.
    pub(super) fn fitting(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.clone().filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = positive.fold((f64::MAX, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
        if high > 0.0 && high / low > WIDE {
            let high = high.log10().ceil() as i32;
            // Twelve powers are as many as can be told apart.
            let low = (low.log10().floor() as i32).max(high - 12);
            return Self::Powers { low, high: high.max(low + 1) };
        }
        Self::even(values)
    }

    /// 0 at the lower end, 1 at the upper; what lies outside is moved to the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Even { low, high, .. } => (value - low) / (high - low),
            Self::Powers { .. } if value <= 0.0 => 0.0,
            Self::Powers { low, high } => (value.log10() - f64::from(low)) / f64::from(high - low),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Values to be written beside the axis.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Even { low, high, step } => {
                let count = ((high - low) / step).round().min(20.0) as usize;
                let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
                let label = |value: f64| match high.abs().max(low.abs()) {
                    large if !(1e-4..1e7).contains(&large) => significant(value, 2),
                    _ => format!("{value:.decimals$}"),
                };
                (0..=count).map(|at| low + at as f64 * step).map(|value| (value, label(value))).collect()
            }
            Self::Powers { low, high } => {
                let stride = ((high - low) as usize).div_ceil(6).max(1);
                (low..=high).step_by(stride).map(|power| (10f64.powi(power), power_label(power))).collect()
            }
        }
    }
}

/// A power of ten.
pub(super) fn power_label(power: i32) -> String {
    match power {
        -3..=4 => significant(10f64.powi(power), 1),
        _ => format!("1e{power}"),
    }
}

/// A round step that cuts a span into four to ten parts.
fn step(span: f64) -> f64 {
    if span <= 0.0 || !span.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf((span / 4.0).log10().floor());
    let parts = span / 4.0 / power;
    power
        * if parts >= 5.0 {
            5.0
        } else if parts >= 2.0 {
            2.0
        } else {
            1.0
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn round_numbers_stand_beside_the_axis() {
        assert_eq!(labels(Scale::even([3.0, 0.7].into_iter())), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(
            labels(Scale::even([1.0, -0.3].into_iter())),
            ["-0.4", "-0.2", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        let wide = Scale::fitting([0.02, 900.0, 0.0].into_iter());
        assert_eq!(wide, Scale::Powers { low: -2, high: 3 });
        assert_eq!(labels(wide), ["0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!((wide.place(0.0), wide.place(1000.0), wide.place(10.0)), (0.0, 1.0, 0.6));
    }

    #[test]
    fn nothing_to_show_is_no_division() {
        for scale in
            [Scale::even([].into_iter()), Scale::even([0.0].into_iter()), Scale::fitting([f64::NAN].into_iter())]
        {
            assert!(scale.ticks().len() > 1 && scale.place(0.5).is_finite());
        }
        let huge = Scale::even([1e300].into_iter());
        assert!(huge.ticks().len() > 2 && huge.place(1e300) == 1.0);
        assert!(Scale::even([f64::MAX, -f64::MAX].into_iter()).ticks().len() < 30);
    }
}
