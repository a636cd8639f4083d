//! What calibration would have measured on a made-up model: all kinds, computed from the same made-up inputs.

use super::{Noise, Specimen};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::StatisticsOffer;

/// Input rows per linear.
const ROWS: usize = 48;

/// One measured statistic.
pub struct Measured {
    /// Tensor index.
    pub tensor: u32,
    /// What was measured.
    pub kind: StatisticKind,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Its values.
    pub values: Vec<f32>,
}

impl Measured {
    /// Tokens that went in.
    pub const COUNT: u64 = ROWS as u64;
}

/// Statistics of every linear, for the given words.
pub fn measure(specimen: &Specimen, words: &[String]) -> (Vec<Measured>, Vec<StatisticsOffer>) {
    let kinds: Vec<StatisticKind> = words.iter().filter_map(|w| StatisticKind::from_word(w)).collect();
    let mut measured = Vec::new();
    let mut offers = Vec::new();
    if kinds.is_empty() {
        return (measured, offers);
    }
    let linears = specimen.description.tensors.iter().enumerate().filter(|(_, t)| t.role.is_linear());
    for (index, tensor) in linears {
        let columns = tensor.columns() as usize;
        let inputs = inputs(index as u64, columns);
        for kind in &kinds {
            let (shape, values) = statistic(*kind, &inputs, columns);
            measured.push(Measured { tensor: index as u32, kind: *kind, shape, values });
        }
        let kinds = kinds.iter().map(|k| k.word().to_owned()).collect();
        offers.push(StatisticsOffer { tensor: index as u32, kinds, ..StatisticsOffer::default() });
    }
    (measured, offers)
}

/// Input rows with a few loud channels, as real activations have.
fn inputs(seed: u64, columns: usize) -> Vec<f32> {
    let mut noise = Noise::new(seed ^ 0xac71);
    (0..ROWS * columns).map(|i| noise.normal() * if i % columns % 29 == 3 { 20.0 } else { 1.0 }).collect()
}

fn statistic(kind: StatisticKind, inputs: &[f32], columns: usize) -> (Vec<u64>, Vec<f32>) {
    let per_channel = |start: f32, fold: &dyn Fn(f32, f32) -> f32| {
        let channel = |c: usize| inputs[c..].iter().step_by(columns).fold(start, |a, x| fold(a, *x));
        (vec![columns as u64], (0..columns).map(channel).collect())
    };
    match kind {
        StatisticKind::SumSquares => per_channel(0.0, &|a, x| a + x * x),
        StatisticKind::SumAbs => per_channel(0.0, &|a, x| a + x.abs()),
        StatisticKind::Sum => per_channel(0.0, &|a, x| a + x),
        StatisticKind::Min => per_channel(f32::INFINITY, &f32::min),
        StatisticKind::Max => per_channel(f32::NEG_INFINITY, &f32::max),
        StatisticKind::Gram => {
            let product = |a: usize, b: usize| inputs.chunks_exact(columns).map(|x| x[a] * x[b]).sum::<f32>();
            let values = (0..columns * columns).map(|i| product(i / columns, i % columns)).collect();
            (vec![columns as u64; 2], values)
        }
        _ => (vec![ROWS as u64, columns as u64], inputs.to_vec()),
    }
}
