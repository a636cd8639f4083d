//! How much goes through each layer, summed over its tensors.

use serde::{Deserialize, Serialize};

/// Figures of one tensor's input, as llama-imatrix --show-statistics names them; computed where the statistics are held.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TensorFigures {
    /// Name.
    pub name: String,
    /// Layer, if it is in one.
    pub layer: Option<u32>,
    /// Name without its layer: what is alike in all layers.
    pub tensor: String,
    /// Tokens that went in; the largest of all experts.
    pub count: u64,
    /// Vectors (experts).
    pub vectors: usize,
    /// Those of them without data.
    pub unseen: usize,
    /// Channels that the figures are over.
    pub elements: usize,
    /// Sum of the channels' mean squares.
    pub sum: f64,
    /// Smallest mean square.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub stddev: f64,
    /// Share of channels above 1e-5.
    pub active: f64,
    /// Entropy of the distribution over channels, in bits.
    pub entropy: f64,
    /// Entropy as a share of the largest possible.
    pub entropy_share: f64,
    /// Share of channels more than one standard deviation above the mean.
    pub z_density: f64,
    /// Cosine similarity with the same tensor one layer earlier.
    pub cosine: Option<f64>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerImportance {
    /// Layer.
    pub layer: u32,
    /// Tensors with figures.
    pub tensors: usize,
    /// Sum of the mean squares over its tensors. Tensors that share an input (query, key, value) count one by one, as each
    /// of them multiplies it.
    pub sum: f64,
    /// `sum` as a share of all layers.
    pub share: f64,
    /// Mean square per channel, over all its tensors.
    pub mean: f64,
    /// Mean over its tensors of the entropy's share of the largest possible: small where few channels carry a layer.
    pub entropy_share: f64,
    /// Mean over its tensors of the similarity with the layer before.
    pub cosine: Option<f64>,
}

/// Importance of every layer that has figures, in order. Tensors outside of layers are left out.
pub fn layer_importance(figures: &[TensorFigures]) -> Vec<LayerImportance> {
    let mut layers: Vec<u32> = figures.iter().filter_map(|figure| figure.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let inside = |layer: u32| figures.iter().filter(move |figure| figure.layer == Some(layer));
    let total: f64 = figures.iter().filter(|figure| figure.layer.is_some()).map(|figure| figure.sum).sum();
    let of = |layer: u32| {
        let tensors = inside(layer).count();
        let sum: f64 = inside(layer).map(|figure| figure.sum).sum();
        let elements: usize = inside(layer).map(|figure| figure.elements).sum();
        let cosines: Vec<f64> = inside(layer).filter_map(|figure| figure.cosine).collect();
        LayerImportance {
            layer,
            tensors,
            sum,
            share: if total > 0.0 { sum / total } else { 0.0 },
            mean: sum / elements.max(1) as f64,
            entropy_share: inside(layer).map(|figure| figure.entropy_share).sum::<f64>() / tensors as f64,
            cosine: (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64),
        }
    };
    layers.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_their_tensors_up() {
        let figure = |layer, sum, elements, entropy_share, cosine| TensorFigures {
            layer,
            sum,
            elements,
            entropy_share,
            cosine,
            ..TensorFigures::default()
        };
        let found = layer_importance(&[
            figure(Some(2), 30.0, 10, 0.5, Some(0.9)),
            figure(Some(0), 4.0, 10, 1.0, None),
            figure(None, 1e6, 10, 1.0, None),
            figure(Some(2), 6.0, 20, 0.7, Some(0.7)),
        ]);
        let layers: Vec<_> = found.iter().map(|l| (l.layer, l.tensors, l.sum, l.mean)).collect();
        assert_eq!(layers, [(0, 1, 4.0, 0.4), (2, 2, 36.0, 1.2)]);
        assert_eq!((found[0].share, found[1].share), (0.1, 0.9));
        assert!((found[1].entropy_share - 0.6).abs() < 1e-15 && (found[1].cosine.unwrap() - 0.8).abs() < 1e-15);
        assert_eq!(found[0].cosine, None);
        assert!(layer_importance(&[]).is_empty());
    }
}
