//! The drawings of an analysis.

use super::AnalysisReport;
use crate::findings::TensorFigures;
use crate::report::numbers::{percent, significant};
use crate::report::plot::{Bar, Cells, Curve, bars, cells, curves};

/// What is alike in all layers and experts: numbers in a name without its layer become stars.
fn kind(tensor: &str) -> String {
    let starred = |part: &str| match !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_digit()) {
        true => "*".to_owned(),
        false => part.to_owned(),
    };
    tensor.trim_end_matches(".weight").split('.').map(starred).collect::<Vec<_>>().join(".")
}

/// A figure per kind and layer.
struct Grid {
    /// In the order in which the model has them.
    kinds: Vec<String>,
    layers: Vec<u32>,
    /// Kind by kind; all values of a kind's experts.
    values: Vec<Vec<f64>>,
}

impl Grid {
    fn new(all: impl Iterator<Item = (String, u32, Option<f64>)>) -> Self {
        let all: Vec<_> = all.collect();
        let mut kinds: Vec<String> = Vec::new();
        for (kind, ..) in &all {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
        let mut layers: Vec<u32> = all.iter().map(|(_, layer, _)| *layer).collect();
        layers.sort_unstable();
        layers.dedup();
        let mut values = vec![Vec::new(); kinds.len() * layers.len()];
        for (kind, layer, value) in all {
            let (row, column) = (kinds.iter().position(|k| *k == kind), layers.binary_search(&layer));
            if let (Some(row), Ok(column), Some(value)) = (row, column, value) {
                values[row * layers.len() + column].push(value);
            }
        }
        Self { kinds, layers, values }
    }

    /// Cells, experts joined by their largest value; `None` for less than two layers.
    fn cells(self, bounds: Option<(f64, f64)>, what: &str) -> Option<String> {
        let values: Vec<_> = self.values.iter().map(|cell| cell.iter().copied().reduce(f64::max)).collect();
        if self.layers.len() < 2 || values.iter().all(Option::is_none) {
            return None;
        }
        let found = || values.iter().flatten().copied();
        let (low, high) = bounds.unwrap_or((found().fold(f64::MAX, f64::min), found().fold(0.0, f64::max)));
        let columns = self.layers.iter().map(u32::to_string).collect();
        Some(cells(&Cells { rows: self.kinds, columns, values, low, high, powers: true }, "layer", what))
    }

    /// Curves, experts joined by their mean; `None` for less than two layers.
    fn curves(self, what: &str) -> Option<String> {
        let mean = |cell: &Vec<f64>| (!cell.is_empty()).then(|| cell.iter().sum::<f64>() / cell.len() as f64);
        let rows = self.kinds.iter().zip(self.values.chunks(self.layers.len().max(1)));
        let curve = |(name, row): (&String, &[Vec<f64>])| {
            let points = self.layers.iter().zip(row).filter_map(|(layer, cell)| Some((*layer, mean(cell)?)));
            Curve { name: name.clone(), points: points.collect() }
        };
        let all: Vec<Curve> = rows.map(curve).filter(|curve| curve.points.len() > 1).collect();
        (!all.is_empty()).then(|| curves(&all, "layer", what))
    }
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
        self.grid(|figure| (figure.mean > 0.0).then_some(figure.mean)).cells(None, "mean E[x²] per channel")
    }

    /// A figure over layers, one curve per kind of tensor; `None` for less than two layers.
    pub(super) fn draw_curves(&self, value: impl Fn(&TensorFigures) -> Option<f64>, what: &str) -> Option<String> {
        self.grid(value).curves(what)
    }

    fn grid(&self, value: impl Fn(&TensorFigures) -> Option<f64>) -> Grid {
        Grid::new(self.tensors.iter().filter_map(|figure| Some((kind(&figure.tensor), figure.layer?, value(figure)))))
    }

    /// How far the furthest channel of each linear's input stands out.
    pub(super) fn draw_outliers(&self) -> Option<String> {
        let behind_layer = |name: &str, layer: u32| {
            let number = layer.to_string();
            let mut parts = name.split('.');
            match parts.any(|part| part == number) {
                true => kind(&parts.collect::<Vec<_>>().join(".")),
                false => kind(name),
            }
        };
        let furthest = self.outliers.iter().filter_map(|linear| {
            let ratio = linear.outliers.first().map_or(1.0, |outlier| outlier.ratio());
            Some((behind_layer(&linear.tensor, linear.layer?), linear.layer?, Some(ratio)))
        });
        Grid::new(furthest).cells(Some((1.0, 1000.0)), "largest channel over the median channel")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experts_share_a_kind() {
        assert_eq!(kind("mlp.experts.17.down_proj.weight"), "mlp.experts.*.down_proj");
        assert_eq!(kind("self_attn.q_proj"), "self_attn.q_proj");
        let all = [("a.1", 0, 2.0), ("a.2", 0, 6.0), ("b", 0, 1.0), ("a.1", 3, 5.0)];
        let grid = Grid::new(all.into_iter().map(|(name, layer, value)| (kind(name), layer, Some(value))));
        assert_eq!(
            (grid.kinds.as_slice(), grid.layers.as_slice()),
            (&["a.*".to_owned(), "b".to_owned()][..], &[0, 3][..])
        );
        assert_eq!(grid.values, [vec![2.0, 6.0], vec![5.0], vec![1.0], vec![]]);
    }
}
