//! Where the values of a distribution lie: nested bars around the median.

use super::scale::Scale;
use super::svg::{Anchor, Svg, WIDTH};
use crate::Quantiles;
use crate::report::numbers::percent;

const LEFT: f64 = 20.0;
const RIGHT: f64 = WIDTH - 20.0;
const MIDDLE: f64 = 44.0;

/// One distribution of shares: 99.8 %, 98 %, 90 % and 50 % of the values, and the median.
pub(in crate::report) fn ranges(quantiles: &Quantiles, below: &str) -> String {
    let mut svg = Svg::new(112.0, below);
    let scale = Scale::even([quantiles.p0_1, quantiles.p99_9].into_iter());
    let place = |value: f64| LEFT + (RIGHT - LEFT) * scale.place(value);
    for (value, label) in scale.ticks() {
        svg.line((place(value), 14.0), (place(value), 74.0), "grid");
        svg.text((place(value), 90.0), Anchor::Middle, &label);
    }
    let nested = [
        ("99.8 %", quantiles.p0_1, quantiles.p99_9, 6.0, 0.2),
        ("98 %", quantiles.p1, quantiles.p99, 16.0, 0.3),
        ("90 %", quantiles.p5, quantiles.p95, 28.0, 0.45),
        ("50 %", quantiles.p25, quantiles.p75, 42.0, 0.8),
    ];
    for (share, low, high, height, strength) in nested {
        let hint = format!("{share} of the positions: {} to {}", percent(low), percent(high));
        let look = format!("class=\"fill\" fill-opacity=\"{strength}\"");
        let (left, right) = (place(low), place(high));
        svg.rectangle((left, MIDDLE - height / 2.0), (right - left, height), &look, &hint);
    }
    svg.line((place(quantiles.median), MIDDLE - 24.0), (place(quantiles.median), MIDDLE + 24.0), "mark");
    svg.text((WIDTH / 2.0, 107.0), Anchor::Middle, below);
    svg.finish()
}
