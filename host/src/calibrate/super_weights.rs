//! Super weights: found where both sides of a feed-forward block's last layer spike, then looked for again with those that
//! were found set to zero, because the largest one of a layer hides the others.

use super::{Gather, Peaks, Zeroed};
use crate::event::Event;
use crate::failure::Failure;
use crate::job::Weights;
use crate::pass::{Pass, Room, Services, Subject};
use llmq_forward::{FeedForward, Linear, Storage};
use llmq_measure::findings::{DownProjection, Peak, SuperWeight, SuperWeightRule, share_of_term, super_weights};
use llmq_text::Samples;

/// What was found, and where it was looked for.
pub struct Found {
    /// All of them, by the round that found them.
    pub weights: Vec<SuperWeight>,
    /// The peaks of the first round.
    pub projections: Vec<DownProjection>,
    /// Rounds that were run, the first included.
    pub rounds: u32,
}

/// Finds super weights from the peaks of a calibration, and looks again up to `again` times.
///
/// Super weights show on any text (arXiv 2411.07191 uses one sentence), so the further rounds take the first batch of the
/// samples only. They end with the first one that finds nothing new.
pub fn find_super_weights(
    subject: &Subject,
    peaks: &[(u32, Peaks)],
    samples: &Samples,
    again: u32,
    services: &Services<'_>,
) -> Result<Found, Failure> {
    let (projections, weights) = candidates(subject, subject.weights(), peaks)?;
    let mut found = Found { weights, projections, rounds: 1 };
    let mut new = found.weights.len();
    while new > 0 && found.rounds <= again {
        found.rounds += 1;
        let words = format!("Looking for super weights again, {} set to zero", found.weights.len());
        services.observer.event(Event::Step(words));
        let zeroed = Zeroed::new(subject.weights(), found.weights.iter().filter_map(|weight| place(subject, weight)));
        let peaks = short_pass(subject, &zeroed, samples, services)?;
        let known = |one: &SuperWeight| {
            let same = |other: &SuperWeight| {
                (&one.tensor, one.expert, one.row, one.column) == (&other.tensor, other.expert, other.row, other.column)
            };
            found.weights.iter().any(same)
        };
        let (_, mut further) = candidates(subject, &zeroed, &peaks)?;
        further.retain(|weight| !known(weight));
        further.iter_mut().for_each(|weight| weight.round = found.rounds);
        new = further.len();
        found.weights.extend(further);
    }
    Ok(found)
}

/// The weights that spikes on both sides give away.
fn candidates(
    subject: &Subject,
    weights: &dyn Weights,
    peaks: &[(u32, Peaks)],
) -> Result<(Vec<DownProjection>, Vec<SuperWeight>), Failure> {
    let tensors = &weights.description().tensors;
    let side = |side: &super::Side| Peak {
        channel: side.peak.channel,
        value: f64::from(side.peak.value),
        typical: side.typical,
    };
    let projection = |(layer, peaks): &(u32, Peaks)| {
        let tensor = &tensors[peaks.linear];
        DownProjection {
            tensor: tensor.name.clone(),
            layer: *layer,
            expert: tensor.expert,
            input: side(&peaks.arrived),
            output: side(&peaks.left),
        }
    };
    let projections: Vec<DownProjection> = peaks.iter().map(projection).collect();
    let mut found = super_weights(&projections, &SuperWeightRule::default());
    for weight in &mut found {
        let of = peaks.iter().find(|(layer, of)| *layer == weight.layer && tensors[of.linear].name == weight.tensor);
        let (Some(linear), Some((_, of))) = (linear(subject, weight), of) else { continue };
        let row = output_row(weights, linear, weight.row)?;
        weight.weight = row.get(weight.column).map(|value| f64::from(*value));
        weight.share = share_of_term(&row, &of.row, weight.column);
    }
    Ok((projections, found))
}

/// The matrix that a weight is in.
fn linear<'a>(subject: &'a Subject, weight: &SuperWeight) -> Option<&'a Linear> {
    let tensors = &subject.weights().description().tensors;
    let blocks = match &subject.network.layers.get(weight.layer as usize)?.ffn {
        FeedForward::Dense(block) => vec![&**block],
        FeedForward::Mixture(mixture) => {
            mixture.experts.iter().chain(mixture.shared.as_ref().map(|shared| &shared.block)).collect()
        }
    };
    let all = blocks.into_iter().map(|block| &block.down);
    all.into_iter().find(|linear| {
        let tensor = &tensors[linear.weight];
        tensor.name == weight.tensor && tensor.expert == weight.expert
    })
}

/// What one output is made with: a number per input.
fn output_row(weights: &dyn Weights, linear: &Linear, output: usize) -> Result<Vec<f32>, Failure> {
    match linear.storage {
        Storage::OutputRows => {
            let mut row = vec![0.0; linear.inputs];
            weights.read_rows(linear.weight, linear.first_row + output as u64, &mut row)?;
            Ok(row)
        }
        Storage::InputRows => {
            let mut stored = vec![0.0; linear.outputs];
            let value = |input: usize| {
                weights.read_rows(linear.weight, linear.first_row + input as u64, &mut stored)?;
                Ok(stored[output])
            };
            (0..linear.inputs).map(value).collect()
        }
    }
}

/// Tensor, stored row and stored column of a weight.
fn place(subject: &Subject, weight: &SuperWeight) -> Option<(usize, u64, usize)> {
    let linear = linear(subject, weight)?;
    let (row, column) = match linear.storage {
        Storage::OutputRows => (weight.row, weight.column),
        Storage::InputRows => (weight.column, weight.row),
    };
    Some((linear.weight, linear.first_row + row as u64, column))
}

/// Peaks of the first batch of samples.
fn short_pass(
    subject: &Subject,
    weights: &dyn Weights,
    samples: &Samples,
    services: &Services<'_>,
) -> Result<Vec<(u32, Peaks)>, Failure> {
    let mut pass = Pass { weights, ..Pass::calibrating(subject, samples, services) };
    let first = pass.batches().next().unwrap_or(0..0);
    pass.tokens = &samples.tokens[first];
    let mut states = pass.embedded(&Room::new(None, 1))?;
    let mut all = Vec::new();
    for (layer, described) in subject.network.layers.iter().enumerate() {
        let mut gather = Gather::new(weights.description(), described, "", None).with_peaks();
        pass.layer(layer, &mut states, &mut gather)?;
        let (_, peaks) = gather.finish()?;
        all.extend(peaks.into_iter().map(|peaks| (layer as u32, peaks)));
    }
    Ok(all)
}
