//! Curves over layers, with a legend.

use super::scale::Scale;
use super::svg::{Anchor, Svg, WIDTH, shortened};

/// One curve; a gap where there is no value.
pub(in crate::report) struct Curve {
    pub(in crate::report) name: String,
    pub(in crate::report) points: Vec<(u32, f64)>,
}

const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 190.0;
const TOP: f64 = 22.0;
/// More curves than there are colours are drawn dashed, more than twice as many not at all.
const COLOURS: usize = 8;

/// Curves over numbered layers.
pub(in crate::report) fn curves(all: &[Curve], below: &str, beside: &str) -> String {
    let shown = &all[..all.len().min(2 * COLOURS)];
    let height = (shown.len() as f64 * 17.0 + 40.0).max(230.0);
    let bottom = height - 36.0;
    let mut svg = Svg::new(height, &format!("{beside} by {below}"));
    let values = || shown.iter().flat_map(|curve| curve.points.iter().map(|(_, value)| *value));
    let scale = Scale::fitting(values());
    for (value, label) in scale.ticks() {
        let y = bottom - (bottom - TOP) * scale.place(value);
        svg.line((LEFT, y), (RIGHT, y), "grid");
        svg.text((LEFT - 6.0, y + 4.0), Anchor::End, &label);
    }
    svg.line((LEFT, bottom), (RIGHT, bottom), "axis");
    svg.text((0.0, 11.0), Anchor::Start, beside);
    svg.text(((LEFT + RIGHT) / 2.0, height - 4.0), Anchor::Middle, below);
    let layers = || shown.iter().flat_map(|curve| curve.points.iter().map(|(layer, _)| *layer));
    let (first, last) = (layers().min().unwrap_or(0), layers().max().unwrap_or(0));
    let span = f64::from(last.saturating_sub(first).max(1));
    let x = |layer: u32| LEFT + (RIGHT - LEFT) * (f64::from(layer - first) / span * 0.96 + 0.02);
    for layer in (first..=last).step_by(((last - first) as usize).div_ceil(18).max(1)) {
        svg.text((x(layer), bottom + 15.0), Anchor::Middle, &layer.to_string());
    }
    for (index, curve) in shown.iter().enumerate() {
        let class = format!("s{}{}", index % COLOURS, if index >= COLOURS { " again" } else { "" });
        let points: Vec<(f64, f64)> = curve
            .points
            .iter()
            .map(|(layer, value)| (x(*layer), bottom - (bottom - TOP) * scale.place(*value)))
            .collect();
        svg.curve(&points, &class, &curve.name);
        let y = TOP + 6.0 + 17.0 * index as f64;
        svg.line((RIGHT + 14.0, y - 4.0), (RIGHT + 34.0, y - 4.0), &format!("curve {class}"));
        svg.text((RIGHT + 40.0, y), Anchor::Start, &shortened(&curve.name, 24));
    }
    svg.finish()
}
