//! Whether a layer computes the same with scales folded into it: one batch through both, in single precision.
//!
//! The batch is made up, always the same. What real hidden states would add is not worth what they cost: layers may come in
//! any order, several at a time, after a resume only some of them, and every one would want all before it. And it would be
//! the worse test: a mapping is right for all rows or wrong for almost all, but real rows have channels a thousand times
//! the others, beside which a wrong one does not show. Every token goes to all experts here, so that no expert is left
//! out and none is chosen by a rounding error.

use crate::failure::Failure;
use crate::job::Weights;
use crate::network::SourceRows;
use crate::pass::failure;
use llmq_forward::{
    Arrival, Batch, Cpu, FeedForward, LatentQueries, Layer, Linear, Observer, Projections, Rows, UpGate, run_layer,
};

/// Tokens of the batch.
const TOKENS: usize = 32;
/// Rows that are kept of what leaves every feed-forward block.
const KEPT: usize = 4;
/// Largest difference, as a share of the size of what a layer adds to its input, or a block gives.
pub const ALLOWED: f64 = 1e-3;
/// Differences that rounding makes, as a share of the layer's output.
const ROUNDING: f64 = 1e-6;

/// Bytes that a comparison takes: a layer's largest matrix, the batch, and what is kept of blocks.
pub fn bytes(layer: &Layer) -> u64 {
    let mut linears = match &layer.attention.projections {
        Projections::Separate { q, k, v } => vec![q, k, v],
        Projections::Fused { qkv, .. } => vec![qkv],
        Projections::Latent(latent) => {
            let queries = match &latent.queries {
                LatentQueries::Direct(q) => q,
                LatentQueries::LowRank { b, .. } => b,
            };
            vec![queries, &latent.kv_a, &latent.kv_b]
        }
    };
    linears.push(&layer.attention.output);
    let mut blocks = 1;
    match &layer.ffn {
        FeedForward::Dense(block) => linears.extend(of_block(block)),
        FeedForward::Mixture(mixture) => {
            blocks = mixture.experts.len() + 1;
            linears.extend(mixture.experts.iter().chain(mixture.shared.iter().map(|s| &s.block)).flat_map(of_block));
        }
    }
    let matrix = linears.iter().map(|l| l.inputs.saturating_mul(l.outputs)).max().unwrap_or(0);
    let widest = linears.iter().map(|l| l.inputs.max(l.outputs)).max().unwrap_or(0);
    // The input, normed, queries, keys, values, gate, up, their product, what comes out; for both layers what is kept.
    let rows = TOKENS * 10 * widest + 2 * blocks * KEPT * layer.attention.output.outputs;
    (matrix.saturating_add(rows) as u64).saturating_mul(size_of::<f32>() as u64)
}

fn of_block(block: &llmq_forward::Block) -> Vec<&Linear> {
    match &block.up {
        UpGate::Both { gate, up } => vec![gate, up, &block.down],
        UpGate::Up(one) | UpGate::Halves(one) | UpGate::Alternating(one) => vec![one, &block.down],
    }
}

/// What a layer gives for the batch.
pub struct Outcome {
    added: Vec<f32>,
    /// Size of the output, input included.
    size: f64,
    blocks: Vec<Vec<f32>>,
}

impl Outcome {
    /// Runs the batch through a layer.
    pub fn of(layer: &Layer, width: usize, weights: &dyn Weights) -> Result<Outcome, Failure> {
        let mut layer = layer.clone();
        if let FeedForward::Mixture(mixture) = &mut layer.ffn {
            mixture.choice.used = mixture.experts.len();
            mixture.choice.groups = None;
        }
        let input = batch(width);
        let rows = SourceRows(weights);
        let mut probe = Probe::default();
        let out =
            run_layer(&Cpu::default(), &layer, Batch { length: TOKENS, weights: &rows }, input.clone(), &mut probe);
        let out = out.map_err(failure)?;
        let added = out.values.iter().zip(&input.values).map(|(out, x)| out - x).collect();
        Ok(Outcome { added, size: size(&out.values), blocks: probe.blocks })
    }

    /// How far another layer's outcome is off, as a share of this one's size; the worst of everything compared.
    pub fn difference(&self, other: &Outcome) -> f64 {
        let layer = share(&self.added, &other.added, ROUNDING * self.size / ALLOWED);
        self.blocks.iter().zip(&other.blocks).map(|(a, b)| share(a, b, 0.0)).fold(layer, f64::max)
    }
}

/// Size of the difference over the larger of a size and a floor; infinite where it is no number.
fn share(a: &[f32], b: &[f32], floor: f64) -> f64 {
    let difference = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt();
    match difference {
        0.0 => 0.0,
        _ if !difference.is_finite() => f64::INFINITY,
        _ => difference / size(a).max(floor),
    }
}

fn size(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// Rows of bell-shaped numbers around 0, of variance 1.
fn batch(width: usize) -> Rows {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut rows = Rows::zeros(TOKENS, width);
    rows.values.iter_mut().for_each(|x| *x = ((0..4).map(|_| uniform()).sum::<f32>() - 2.0) * 3f32.sqrt());
    rows
}

/// Keeps the first rows of what every block gives.
#[derive(Default)]
struct Probe {
    blocks: Vec<Vec<f32>>,
}

impl Observer for Probe {
    fn arrive(&mut self, _: Arrival<'_>) {}

    fn leave(&mut self, departure: Arrival<'_>) {
        let kept = KEPT * departure.rows.columns;
        self.blocks.push(departure.rows.values.iter().take(kept).copied().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_their_edges() {
        assert_eq!(share(&[3.0, 4.0], &[3.0, 4.5], 0.0), 0.1);
        assert_eq!(share(&[3.0, 4.0], &[3.0, 4.5], 50.0), 0.01);
        assert_eq!(share(&[0.0], &[0.0], 0.0), 0.0);
        assert_eq!(share(&[0.0], &[1.0], 0.0), f64::INFINITY);
        assert_eq!(share(&[1.0], &[f32::NAN], 0.0), f64::INFINITY);
    }

    #[test]
    fn the_batch_has_variance_one_and_is_always_the_same() {
        let rows = batch(256);
        let mean = rows.values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / rows.values.len() as f64;
        assert!((0.9..1.1).contains(&mean), "{mean}");
        assert_eq!(rows, batch(256));
    }
}
