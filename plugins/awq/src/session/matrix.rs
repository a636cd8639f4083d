//! One matrix: blocks of rows rounded in every way that was asked for, the best way of each kept, stored once all are known.

use super::shared::Known;
use super::{ROWS, store};
use crate::choices::Rounding;
use crate::plan::{Linear, Packed};
use llmq_linear_grids::{Method, Rounded, Steps, clip, fitted, nearest, nearest_changes, output_size, round};
use llmq_plugin_api::sdk::{Context, Error, Output, Tensor};
use llmq_safetensors_folders::work::{Progress, Why, weights};
use std::sync::Mutex;

/// A matrix that is to be quantized.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The source.
    pub tensor: &'a Tensor<'a>,
    /// Its shape and groups.
    pub linear: &'a Linear,
    /// Where it goes.
    pub slots: Packed,
    /// How it is rounded.
    pub method: Method,
    /// Which ways of rounding are tried.
    pub rounding: Rounding,
    /// Whether largest weights may be cut off.
    pub clips: bool,
}

impl Job<'_> {
    /// Whether both may share what is made of one Gram matrix.
    pub fn alike(&self, other: &Job) -> bool {
        self.method == other.method && self.linear.columns == other.linear.columns
    }
}

/// What rounding did, as sums of tr(dW G dW^T).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// tr(W G W^T).
    pub size: f64,
    /// With the nearest codes.
    pub nearest: f64,
    /// With the nearest codes, largest weights cut off where that is better; if it was tried.
    pub clipped: Option<f64>,
    /// As it was written.
    pub error: f64,
    /// Blocks of rows that were written with error feedback, with cut weights, and all.
    pub blocks: [usize; 3],
}

/// A block of rows while it is worked on.
struct Block<'a> {
    codes: &'a mut [u8],
    steps: &'a mut [Steps],
    outcome: Outcome,
}

/// Quantizes a matrix and writes it; if nothing is known of its input it is rounded to nearest.
pub fn quantize(
    cx: &Context,
    job: &Job,
    known: Result<&Known, &Why>,
    out: &Output,
    progress: &Progress,
) -> Result<Outcome, Error> {
    let Linear { rows, columns, group, groups, turned, .. } = *job.linear;
    let mut codes = vec![0; rows * columns];
    let mut steps = vec![Steps { scale: 1.0, zero: 0 }; rows * groups];
    let parts = codes.chunks_mut(ROWS * columns).zip(steps.chunks_mut(ROWS * groups));
    let blocks: Vec<Mutex<Block>> =
        parts.map(|(codes, steps)| Mutex::new(Block { codes, steps, outcome: Outcome::default() })).collect();
    cx.parallel_for(blocks.len(), |number| {
        let mut block = blocks[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let weights = weights::outputs(job.tensor, turned, number * ROWS, block.codes.len())?;
        let (rounded, outcome) = match known {
            Ok(known) => best(cx, &weights, job, known)?,
            Err(_) => (fitted(&weights, columns, &job.method), Outcome { blocks: [0, 0, 1], ..Outcome::default() }),
        };
        block.codes.copy_from_slice(&rounded.codes);
        block.steps.copy_from_slice(&rounded.steps);
        block.outcome = outcome;
        if !turned {
            out.feedback(job.tensor.index, number * ROWS, &values(&rounded, columns, group))?;
        }
        progress.add(block.codes.len());
        Ok(())
    })?;
    let mut outcome = Outcome { clipped: Some(0.0), ..Outcome::default() };
    for block in blocks {
        // In the order of rows, so that the sum does not depend on the threads.
        let of = block.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).outcome;
        outcome.size += of.size;
        outcome.nearest += of.nearest;
        outcome.clipped = outcome.clipped.zip(of.clipped).map(|(sum, of)| sum + of);
        outcome.error += of.error;
        outcome.blocks.iter_mut().zip(of.blocks).for_each(|(sum, of)| *sum += of);
    }
    if turned {
        let value =
            |row: usize, column: usize| steps[row * groups + column / group].value(codes[row * columns + column]);
        weights::tell_turned([rows, columns], value, |first, rows| out.feedback(job.tensor.index, first, rows))?;
    }
    store::write(cx, job, &codes, &steps, out)?;
    Ok(outcome)
}

/// Tries everything that was asked for; the nearest codes always compete, so nothing is worse than they are.
fn best(cx: &Context, weights: &[f32], job: &Job, known: &Known) -> Result<(Rounded, Outcome), Error> {
    let columns = job.linear.columns;
    let changes = nearest_changes(weights, columns, &job.method);
    let nearest_error = output_size(&changes, known.gram, columns).max(0.0);
    let fed = match &known.factor {
        Some(Ok(factor)) => {
            let stop = || cx.check().is_err();
            Some(round(weights, known.gram, factor, &job.method, &stop).ok_or_else(Error::cancelled)?)
        }
        _ => None,
    };
    // Where feedback is better than the nearest codes, it is far better than anything that cutting gives.
    let fed_wins = fed.as_ref().is_some_and(|fed| fed.error < nearest_error);
    let cuts = job.clips && job.rounding != Rounding::Feedback && !fed_wins;
    let clipped = cuts.then(|| clip(weights, columns, known.gram, &job.method));
    let mut outcome = Outcome {
        size: fed.as_ref().map_or_else(|| output_size(weights, known.gram, columns), |fed| fed.size),
        nearest: nearest_error,
        clipped: clipped.as_ref().map(|clipped| clipped.error.clamp(0.0, nearest_error)),
        error: nearest_error,
        blocks: [0, 0, 1],
    };
    let mut best = None;
    for (number, tried) in [fed, clipped].into_iter().enumerate() {
        let Some(tried) = tried.filter(|tried| tried.error < outcome.error) else { continue };
        outcome.error = tried.error.max(0.0);
        outcome.blocks = [usize::from(number == 0), usize::from(number == 1), 1];
        best = Some(tried);
    }
    Ok((best.unwrap_or_else(|| nearest(weights, columns, &job.method)), outcome))
}

/// What codes stand for.
fn values(rounded: &Rounded, columns: usize, group: usize) -> Vec<f32> {
    let groups = rounded.codes.chunks(columns).flat_map(|codes| codes.chunks(group));
    groups.zip(&rounded.steps).flat_map(|(codes, steps)| codes.iter().map(|code| steps.value(*code))).collect()
}
