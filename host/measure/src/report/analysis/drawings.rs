//! The drawings of an analysis.

use super::AnalysisReport;
use crate::findings::TensorFigures;
use crate::report::numbers::{percent, significant};
use crate::report::plot::{Bar, Cells, Curve, bars, cells, curves};

/// Kinds of tensors (names without layers), in the order in which the model has them, and the numbers of its layers.
fn kinds_and_layers<'a>(all: impl Iterator<Item = (&'a str, u32)>) -> (Vec<&'a str>, Vec<u32>) {
    let (mut kinds, mut layers) = (Vec::new(), Vec::new());
    for (kind, layer) in all {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        layers.push(layer);
    }
    layers.sort_unstable();
    layers.dedup();
    (kinds, layers)
}

fn in_layers(figure: &TensorFigures) -> Option<(&str, u32)> {
    Some((figure.tensor.as_str(), figure.layer?))
}

impl AnalysisReport {
    pub(super) fn draw_layers(&self) -> String {
        let bar = |layer: &crate::findings::LayerImportance| Bar {
            label: layer.layer.to_string(),
            value: layer.sum,
            hint: format!("layer {}: {} ({})", layer.layer, significant(layer.sum, 5), percent(layer.share)),
        };
        bars(&self.layers.iter().map(bar).collect::<Vec<_>>(), "layer", "ΣE[x²]")
    }

    /// Mean square per channel, by kind of tensor and layer; `None` for less than two layers.
    pub(super) fn draw_energy(&self) -> Option<String> {
        self.grid(|figure| (figure.mean > 0.0).then_some(figure.mean), "mean E[x²] per channel")
    }

    fn grid(&self, value: impl Fn(&TensorFigures) -> Option<f64>, what: &str) -> Option<String> {
        let (kinds, layers) = kinds_and_layers(self.tensors.iter().filter_map(in_layers));
        let mut values = vec![None; kinds.len() * layers.len()];
        for figure in &self.tensors {
            let Some((kind, layer)) = in_layers(figure) else { continue };
            place(&mut values, (&kinds, &layers), kind, layer, value(figure));
        }
        draw(kinds, layers, values, None, what)
    }

    /// A figure over layers, one curve per kind of tensor; `None` for less than two layers.
    pub(super) fn draw_curves(&self, value: impl Fn(&TensorFigures) -> Option<f64>, what: &str) -> Option<String> {
        let (kinds, layers) = kinds_and_layers(self.tensors.iter().filter_map(in_layers));
        let curve = |kind: &&str| {
            let inside = self.tensors.iter().filter(|figure| figure.tensor == **kind);
            let mut points: Vec<(u32, f64)> = inside.filter_map(|f| Some((f.layer?, value(f)?))).collect();
            points.sort_by_key(|(layer, _)| *layer);
            Curve { name: (*kind).to_owned(), points }
        };
        let all: Vec<Curve> = kinds.iter().map(curve).filter(|curve| curve.points.len() > 1).collect();
        (layers.len() > 1 && !all.is_empty()).then(|| curves(&all, "layer", what))
    }

    /// How far the furthest channel of each linear's input stands out.
    pub(super) fn draw_outliers(&self) -> Option<String> {
        let kind = |name: &str, layer: u32| {
            let number = layer.to_string();
            let parts: Vec<&str> = name.split('.').collect();
            let behind = parts.iter().position(|part| *part == number).map_or(0, |at| at + 1);
            parts[behind..].join(".").trim_end_matches(".weight").to_owned()
        };
        let named: Vec<(String, u32, f64)> = self
            .outliers
            .iter()
            .filter_map(|linear| {
                let furthest = linear.outliers.first().map_or(1.0, |outlier| outlier.ratio());
                Some((kind(&linear.tensor, linear.layer?), linear.layer?, furthest))
            })
            .collect();
        let (kinds, layers) = kinds_and_layers(named.iter().map(|(kind, layer, _)| (kind.as_str(), *layer)));
        let mut values = vec![None; kinds.len() * layers.len()];
        for (kind, layer, ratio) in &named {
            place(&mut values, (&kinds, &layers), kind, *layer, Some(*ratio));
        }
        draw(kinds, layers, values, Some((1.0, 1000.0)), "largest channel over the median channel")
    }

    /// Peaks of the down projections, as the paper draws them.
    pub(super) fn draw_peaks(&self) -> Option<String> {
        let largest = |side: &dyn Fn(&crate::findings::DownProjection) -> f64| {
            let mut points: Vec<(u32, f64)> = Vec::new();
            let mut sorted: Vec<_> = self.down_projections.iter().collect();
            sorted.sort_by_key(|at| at.layer);
            for at in sorted {
                match points.last_mut() {
                    Some((layer, value)) if *layer == at.layer => *value = value.max(side(at)),
                    _ => points.push((at.layer, side(at))),
                }
            }
            points
        };
        let input = Curve { name: "input".to_owned(), points: largest(&|at| at.input.value.abs()) };
        let output = Curve { name: "output".to_owned(), points: largest(&|at| at.output.value.abs()) };
        (input.points.len() > 1).then(|| curves(&[input, output], "layer", "largest |x| at the down projection"))
    }

    /// Share of each expert over an even share.
    pub(super) fn draw_experts(&self) -> Option<String> {
        let most = self.experts.iter().map(|layer| layer.experts).max().filter(|most| *most > 1)?;
        let columns: Vec<String> = (0..most).map(|expert| expert.to_string()).collect();
        let mut values = Vec::with_capacity(most * self.experts.len());
        for layer in &self.experts {
            let even = layer.assignments as f64 / layer.experts.max(1) as f64;
            values.extend((0..most).map(|expert| {
                let count = layer.counts.get(expert).filter(|count| **count > 0)?;
                (even > 0.0).then(|| *count as f64 / even)
            }));
        }
        let rows = self.experts.iter().map(|layer| format!("layer {}", layer.layer)).collect();
        let grid = Cells { rows, columns, values, low: 0.0, high: 3.0, powers: false };
        Some(cells(&grid, "expert", "tokens over an even share (empty: none)"))
    }
}

fn place(values: &mut [Option<f64>], (kinds, layers): (&[&str], &[u32]), kind: &str, layer: u32, value: Option<f64>) {
    let (row, column) = (kinds.iter().position(|k| *k == kind), layers.iter().position(|l| *l == layer));
    if let (Some(row), Some(column)) = (row, column) {
        let cell = &mut values[row * layers.len() + column];
        // Experts share a row: the largest counts.
        *cell = match (*cell, value) {
            (Some(old), Some(new)) => Some(f64::max(old, new)),
            (old, new) => new.or(old),
        };
    }
}

fn draw(
    kinds: Vec<&str>,
    layers: Vec<u32>,
    values: Vec<Option<f64>>,
    bounds: Option<(f64, f64)>,
    what: &str,
) -> Option<String> {
    if layers.len() < 2 || values.iter().all(Option::is_none) {
        return None;
    }
    let found = || values.iter().flatten().copied();
    let (low, high) = bounds.unwrap_or((found().fold(f64::MAX, f64::min), found().fold(0.0, f64::max)));
    let rows = kinds.into_iter().map(str::to_owned).collect();
    let columns = layers.iter().map(u32::to_string).collect();
    Some(cells(&Cells { rows, columns, values, low, high, powers: true }, "layer", what))
}
