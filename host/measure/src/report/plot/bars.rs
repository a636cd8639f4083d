//! Bars beside each other, and histograms.

use super::scale::{Scale, power_label};
use super::svg::{Anchor, Svg, WIDTH};
use crate::Histogram;
use crate::report::numbers::grouped;

/// One bar.
pub(in crate::report) struct Bar {
    pub(in crate::report) label: String,
    pub(in crate::report) value: f64,
    /// Shows when one points at the bar.
    pub(in crate::report) hint: String,
}

const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = HEIGHT - 36.0;

/// Bars from zero (or from the lowest power of ten), with the axes' names.
pub(in crate::report) fn bars(bars: &[Bar], below: &str, beside: &str) -> String {
    let mut svg = Svg::new(HEIGHT, &format!("{beside} by {below}"));
    let scale = Scale::fitting(bars.iter().map(|bar| bar.value));
    frame(&mut svg, scale, below, beside);
    let slot = (RIGHT - LEFT) / bars.len().max(1) as f64;
    let stride = bars.len().div_ceil(24).max(1);
    for (index, bar) in bars.iter().enumerate() {
        let left = LEFT + slot * index as f64;
        let width = (slot * 0.78).min(44.0);
        let height = (BOTTOM - TOP) * scale.place(bar.value);
        svg.rectangle((left + (slot - width) / 2.0, BOTTOM - height), (width, height), "class=\"fill\"", &bar.hint);
        if index % stride == 0 {
            svg.text((left + slot / 2.0, BOTTOM + 15.0), Anchor::Middle, &bar.label);
        }
    }
    svg.finish()
}

/// Bins touch each other; powers of ten stand below their edges. A vertical mark can be set at one value.
pub(in crate::report) fn histogram(histogram: &Histogram, mark: Option<(f64, &str)>, below: &str) -> String {
    let mut svg = Svg::new(HEIGHT, &format!("how many positions have which {below}"));
    let scale = Scale::even(histogram.counts.iter().map(|count| *count as f64));
    frame(&mut svg, scale, below, "positions");
    let (Some(low), Some(high)) = (histogram.edges.first(), histogram.edges.last()) else { return svg.finish() };
    let (low, high) = (low.log10(), high.log10());
    let place = |value: f64| LEFT + (RIGHT - LEFT) * ((value.log10() - low) / (high - low)).clamp(0.0, 1.0);
    for (edges, count) in histogram.edges.windows(2).zip(&histogram.counts) {
        let (left, right) = (place(edges[0]), place(edges[1]));
        let height = (BOTTOM - TOP) * scale.place(*count as f64);
        let hint = format!("{:.2e} to {:.2e}: {}", edges[0], edges[1], grouped(*count));
        svg.rectangle((left + 0.5, BOTTOM - height), (right - left - 1.0, height), "class=\"fill\"", &hint);
    }
    let (low, high) = (low.round() as i32, high.round() as i32);
    let stride = ((high - low).max(1) as usize).div_ceil(10);
    for power in (low..=high).step_by(stride) {
        let x = place(10f64.powi(power));
        svg.line((x, BOTTOM), (x, BOTTOM + 4.0), "axis");
        svg.text((x, BOTTOM + 16.0), if power == low { Anchor::Start } else { Anchor::Middle }, &power_label(power));
    }
    if let Some((value, label)) = mark.filter(|(value, _)| *value > 0.0) {
        let x = place(value);
        svg.line((x, TOP - 4.0), (x, BOTTOM), "mark");
        let (anchor, shift) = if x > WIDTH * 0.8 { (Anchor::End, -4.0) } else { (Anchor::Start, 4.0) };
        svg.text((x + shift, TOP + 4.0), anchor, label);
    }
    svg.finish()
}

fn frame(svg: &mut Svg, scale: Scale, below: &str, beside: &str) {
    for (value, label) in scale.ticks() {
        let y = BOTTOM - (BOTTOM - TOP) * scale.place(value);
        svg.line((LEFT, y), (RIGHT, y), "grid");
        svg.text((LEFT - 6.0, y + 4.0), Anchor::End, &label);
    }
    svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "axis");
    svg.text((0.0, 11.0), Anchor::Start, beside);
    svg.text(((LEFT + RIGHT) / 2.0, HEIGHT - 4.0), Anchor::Middle, below);
}
