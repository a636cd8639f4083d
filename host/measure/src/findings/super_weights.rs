//! Super weights: the few single weights of early down projections on which a whole model hangs.
//!
//! Facts (arXiv 2411.07191 and its code): in one forward pass, no text needed, take of every down projection the entry of
//! largest absolute value of its input and of its output, over tokens and channels. Where both spike in one layer, input
//! channel c and output channel r, the weight `W[r][c]` is super: the one term `W[r][c] x[c]` makes the output. Further
//! ones are found by setting the found weight to zero and looking again, until no spike is left; that loop is the
//! caller's, because it takes a forward pass each.

use serde::{Deserialize, Serialize};

/// The entry of largest absolute value of an activation, over all tokens and channels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Its channel.
    pub channel: usize,
    /// Its value, with sign.
    pub value: f64,
    /// What is usual in this layer: the median over channels of their largest |x|, where it is known.
    pub typical: Option<f64>,
}

/// Peaks at one down projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DownProjection {
    /// Name of the weight.
    pub tensor: String,
    /// Layer.
    pub layer: u32,
    /// Expert, in layers that have several.
    pub expert: Option<u32>,
    /// At its input; the channel is the weight's column.
    pub input: Peak,
    /// At its output; the channel is the weight's row.
    pub output: Peak,
}

/// When a peak is a spike. A weight is a candidate where both input and output spike.
///
/// The paper's code asks for |value| > 50 alone. That is the scale of Llama-like models in half precision: models that
/// scale their embeddings exceed it in every layer, small models never do. So a peak must also stand `ratio` times above
/// what is usual, or, whatever its value, `far_ratio` times. Usual is the median of the *other* down projections' peaks
/// (at least [`SuperWeightRule::FEW`] of them, otherwise together with the layer's own median channel); where the layer's
/// own median channel is known, the peak must stand `ratio` above that as well. The two ratios are ours: planted weights and
/// controls tell them apart with room to spare; on published models they are not yet measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SuperWeightRule {
    /// A spike exceeds this absolute value ...
    pub absolute: f64,
    /// ... and this many times the usual.
    pub ratio: f64,
    /// Or it exceeds this many times the usual, whatever its absolute value.
    pub far_ratio: f64,
}

impl SuperWeightRule {
    /// With fewer other layers than this their median says little.
    pub const FEW: usize = 3;
}

impl Default for SuperWeightRule {
    fn default() -> Self {
        Self { absolute: 50.0, ratio: 10.0, far_ratio: 50.0 }
    }
}

/// A weight that the peaks say is super.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuperWeight {
    /// Name of the down projection.
    pub tensor: String,
    /// Layer.
    pub layer: u32,
    /// Expert, in layers that have several.
    pub expert: Option<u32>,
    /// Row (output channel).
    pub row: usize,
    /// Column (input channel).
    pub column: usize,
    /// The weight itself, where the caller looked it up.
    pub weight: Option<f64>,
    /// Peak of the input.
    pub input: f64,
    /// Peak of the output.
    pub output: f64,
    /// Input peak over the usual; `None` where nothing says what is usual.
    pub input_ratio: Option<f64>,
    /// Output peak over the usual.
    pub output_ratio: Option<f64>,
    /// Share of the output that this one term makes ([`share_of_term`]), where the caller looked.
    pub share: Option<f64>,
    /// The round that found it: 1 in the model as it is, 2 with the weights of round 1 set to zero, and so on.
    #[serde(default = "first_round")]
    pub round: u32,
}

fn first_round() -> u32 {
    1
}

/// Candidates among all down projections of a model, in their order.
pub fn super_weights(projections: &[DownProjection], rule: &SuperWeightRule) -> Vec<SuperWeight> {
    let inputs = Side::new(projections.iter().map(|at| &at.input));
    let outputs = Side::new(projections.iter().map(|at| &at.output));
    let found = |at: &DownProjection| {
        let input_ratio = inputs.spike(&at.input, rule)?;
        let output_ratio = outputs.spike(&at.output, rule)?;
        Some(SuperWeight {
            tensor: at.tensor.clone(),
            layer: at.layer,
            expert: at.expert,
            row: at.output.channel,
            column: at.input.channel,
            weight: None,
            input: at.input.value,
            output: at.output.value,
            input_ratio,
            output_ratio,
            share: None,
            round: first_round(),
        })
    };
    projections.iter().filter_map(found).collect()
}

/// The peaks of all down projections at one side, sorted by absolute value: models have thousands of experts.
struct Side {
    sorted: Vec<f64>,
}

impl Side {
    fn new<'a>(peaks: impl Iterator<Item = &'a Peak>) -> Self {
        let mut sorted: Vec<f64> = peaks.map(|peak| peak.value.abs()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted }
    }

    /// Median of all peaks but one of this value; `None` if there is no other.
    fn median_without(&self, value: f64) -> Option<f64> {
        let own = self.sorted.partition_point(|other| other.total_cmp(&value).is_lt());
        let others = self.sorted.len().checked_sub(1).filter(|others| *others > 0)?;
        let at = |rank: usize| self.sorted[if rank < own { rank } else { rank + 1 }];
        let upper = at(others / 2);
        Some(if others.is_multiple_of(2) { 0.5 * (upper + at(others / 2 - 1)) } else { upper })
    }

    /// `Some` for a spike, with its ratio to the usual.
    fn spike(&self, peak: &Peak, rule: &SuperWeightRule) -> Option<Option<f64>> {
        let value = peak.value.abs();
        let usual = match (self.median_without(value), peak.typical) {
            (Some(layers), Some(typical)) if self.sorted.len() <= SuperWeightRule::FEW => Some(layers.max(typical)),
            (layers, typical) => layers.or(typical),
        };
        let over = |usual: f64| if usual > 0.0 { value / usual } else { f64::MAX };
        let ratio = usual.map(over);
        let in_layer = peak.typical.is_none_or(|typical| over(typical) >= rule.ratio);
        let near = value > rule.absolute && ratio.is_none_or(|ratio| ratio >= rule.ratio);
        let far = ratio.is_some_and(|ratio| ratio >= rule.far_ratio);
        (value.is_finite() && value > 0.0 && in_layer && (near || far)).then_some(ratio)
    }
}

/// The largest term of one output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DominantTerm {
    /// Its column.
    pub column: usize,
    /// `weight * input` there.
    pub product: f64,
    /// Its part of the sum of all terms' absolute values.
    pub share: f64,
}

/// Which term makes an output: of the weight's row and the input at the token of the spike. A super weight's column is
/// the dominant one, with a share close to 1. `None` if lengths differ or all terms are zero.
pub fn dominant_term(row: &[f32], input: &[f32]) -> Option<DominantTerm> {
    if row.len() != input.len() {
        return None;
    }
    let products = || row.iter().zip(input).map(|(weight, x)| f64::from(*weight) * f64::from(*x));
    let total: f64 = products().map(f64::abs).sum();
    let mut best = (0, 0.0f64);
    for (column, product) in products().enumerate() {
        if product.abs() > best.1.abs() {
            best = (column, product);
        }
    }
    let (column, product) = best;
    (product != 0.0 && total.is_finite()).then(|| DominantTerm { column, product, share: product.abs() / total })
}

/// The part of one term in the sum of all terms' absolute values; see [`dominant_term`]. `None` if lengths differ, the
/// column is not there, or all terms are zero.
pub fn share_of_term(row: &[f32], input: &[f32], column: usize) -> Option<f64> {
    if row.len() != input.len() {
        return None;
    }
    let product = |(weight, x): (&f32, &f32)| (f64::from(*weight) * f64::from(*x)).abs();
    let total: f64 = row.iter().zip(input).map(product).sum();
    let own = product((row.get(column)?, input.get(column)?));
    (total > 0.0 && total.is_finite()).then(|| own / total)
}

#[cfg(test)]
#[path = "super_weights_tests.rs"]
mod tests;
