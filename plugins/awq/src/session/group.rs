//! The matrices that read one group of channels, with what is known of their inputs.

use super::shared::values;
use crate::choices::Choices;
use crate::plan::Linear;
use llmq_channel_scales::{Channels, Strength};
use llmq_linear_grids::Method;
use llmq_plugin_api::sdk::{Context, Error, Kind, StatisticKind, Tensor, Unit};
use llmq_plugin_api::wire::{Consumer, SmoothingGroup};
use llmq_safetensors_folders::files::{Layout, Place};
use llmq_safetensors_folders::work::weights;
use std::sync::Mutex;

/// A matrix that is quantized and reads the channels, and whose input was seen.
pub struct Side<'a> {
    /// The source.
    pub tensor: &'a Tensor<'a>,
    /// Its shape and groups.
    pub linear: &'a Linear,
    /// The Gram matrix of its input.
    pub gram: &'a [f32],
    /// How it is rounded.
    pub method: Method,
    /// The channel that each column reads.
    pub channels: Vec<usize>,
}

impl Side<'_> {
    /// Whether both read the same input in the same way.
    pub fn reads_as(&self, other: &Side) -> bool {
        let memory = |side: &Side| (side.gram.as_ptr(), side.gram.len());
        memory(self) == memory(other) && self.method == other.method && self.channels == other.channels
    }
}

/// The sides of a group. Matrices that are not quantized, and experts that no token reached, do not count.
pub fn sides<'a>(
    unit: &'a Unit<'a>,
    group: &SmoothingGroup,
    layout: &'a Layout<Linear>,
    choices: &Choices,
) -> Result<Vec<Side<'a>>, Error> {
    let mut sides = Vec::new();
    for consumer in &group.consumers {
        let Some(Place::Packed { matrix, .. }) = layout.places.get(consumer.tensor as usize) else { continue };
        let (tensor, linear) = (unit.tensor(consumer.tensor as usize)?, matrix.as_ref());
        let gram = unit.statistic_of(tensor.index, consumer.expert, StatisticKind::Gram);
        let tokens = gram.map_or(0, |gram| gram.count);
        let Ok(gram) = values(gram, tensor, linear.columns)? else { continue };
        let channels = channels(group, consumer, linear)?;
        let method = choices.method(linear.group).for_tokens(tokens, linear.columns);
        sides.push(Side { tensor, linear, gram, method, channels });
    }
    Ok(sides)
}

fn channels(group: &SmoothingGroup, consumer: &Consumer, linear: &Linear) -> Result<Vec<usize>, Error> {
    let of = |column: usize| {
        let channel = consumer.channel(column as u64);
        let unfit = || {
            let message = format!("column {column} of `{}` reads channel {channel} of `{}`", linear.name, group.name);
            Error::new(Kind::Other, format!("{message}, which has {}", group.channels)).subject(&group.name)
        };
        usize::try_from(channel).ok().filter(|_| channel < group.channels).ok_or_else(unfit)
    };
    (0..linear.columns).map(of).collect()
}

/// Mean magnitudes of inputs and weights of the channels.
pub struct Magnitudes {
    inputs: Vec<f32>,
    weights: Vec<f32>,
}

impl Magnitudes {
    /// As the search takes them.
    pub fn channels(&self) -> Channels<'_> {
        Channels { inputs: &self.inputs, weights: &self.weights }
    }

    /// Measures them over all sides; a Gram matrix that several share counts once.
    pub fn of(cx: &Context, unit: &Unit, sides: &[Side], channels: usize) -> Result<Magnitudes, Error> {
        let mut inputs = Mean::new(channels);
        let mut weights = Mean::new(channels);
        for (number, side) in sides.iter().enumerate() {
            if sides[..number].iter().all(|other| other.gram.as_ptr() != side.gram.as_ptr()) {
                let (sums, count) = magnitude(unit, side);
                inputs.add(side, &sums, count);
            }
            let strength = strength(cx, side)?;
            let (sums, rows) = strength.sums();
            weights.add(side, sums, rows);
        }
        Ok(Magnitudes { inputs: inputs.done(), weights: weights.done() })
    }
}

/// Sums of |x| of every column with tokens; without them, of the square root of the mean square, which the diagonal holds.
fn magnitude(unit: &Unit, side: &Side) -> (Vec<f64>, u64) {
    let columns = side.linear.columns;
    let sums = unit.statistic(side.tensor.index, StatisticKind::SumAbs);
    if let Some(sums) = sums.filter(|sums| sums.count > 0 && sums.values.len() == columns) {
        return (sums.values.iter().map(|sum| f64::from(*sum)).collect(), sums.count);
    }
    let count = unit.statistic(side.tensor.index, StatisticKind::Gram).map_or(1, |gram| gram.count.max(1));
    let square = |column: usize| f64::from(side.gram[column * columns + column]).max(0.0);
    ((0..columns).map(|column| (square(column) * count as f64).sqrt()).collect(), count)
}

fn strength(cx: &Context, side: &Side) -> Result<Strength, Error> {
    let Linear { rows, columns, group, .. } = *side.linear;
    let blocks: Vec<Mutex<Strength>> =
        (0..rows.div_ceil(super::ROWS)).map(|_| Mutex::new(Strength::new(columns))).collect();
    cx.parallel_for(blocks.len(), |number| {
        let first = number * super::ROWS;
        let weights =
            weights::outputs(side.tensor, side.linear.turned, first, super::ROWS.min(rows - first) * columns)?;
        blocks[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&weights, group);
        Ok(())
    })?;
    let mut all = Strength::new(columns);
    for block in blocks {
        all.merge(&block.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }
    Ok(all)
}

/// The mean of each channel over columns that read it.
struct Mean {
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl Mean {
    fn new(channels: usize) -> Mean {
        Mean { sums: vec![0.0; channels], counts: vec![0.0; channels] }
    }

    fn add(&mut self, side: &Side, sums: &[f64], count: u64) {
        for (channel, sum) in side.channels.iter().zip(sums) {
            self.sums[*channel] += sum;
            self.counts[*channel] += count as f64;
        }
    }

    fn done(self) -> Vec<f32> {
        self.sums.into_iter().zip(self.counts).map(|(sum, count)| (sum / count.max(1.0)) as f32).collect()
    }
}
