//! One matrix: rounded in blocks of rows, stored once all of its rows are known.

use super::{ROWS, store};
use crate::choices::Zeros;
use crate::plan::{Linear, Packed};
use llmq_linear_grids::{Factor, Method, Rounded, Steps, fitted, round};
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Tensor};
use llmq_safetensors_folders::work::{Progress, Why, weights};
use std::sync::Mutex;

/// A matrix that is to be quantized.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The source.
    pub tensor: &'a Tensor<'a>,
    /// Its shape and settings.
    pub linear: &'a Linear,
    /// Where it goes.
    pub slots: Packed,
    /// How it is rounded.
    pub method: Method,
    /// How zeros are stored.
    pub zeros: Zeros,
}

impl Job<'_> {
    /// Whether both may share what is made of one Gram matrix.
    pub fn alike(&self, other: &Job) -> bool {
        self.method == other.method && self.linear.columns == other.linear.columns
    }
}

/// What rounding did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// tr(dW G dW^T).
    pub error: f64,
    /// tr(W G W^T).
    pub size: f64,
}

/// All codes and steps of a matrix.
pub struct Coded<'a> {
    /// `[rows, columns]`.
    pub codes: &'a [u8],
    /// `[rows, groups]`.
    pub steps: &'a [Steps],
    /// The group of each column.
    pub groups: &'a [u32],
}

/// A block of rows while it is worked on.
struct Block<'a> {
    codes: &'a mut [u8],
    steps: &'a mut [Steps],
    outcome: Outcome,
}

/// Quantizes a matrix and writes it; without a Gram matrix and its factor it is rounded to nearest.
pub fn quantize(
    cx: &Context,
    job: &Job,
    factor: Result<(&Factor, &[f32]), &Why>,
    out: &Output,
    progress: &Progress,
) -> Result<Outcome, Error> {
    let Linear { rows, columns, group, groups, turned, .. } = *job.linear;
    let assigned = match factor {
        Ok((factor, _)) if factor.groups().len() == columns => factor.groups().to_vec(),
        Ok((factor, _)) => {
            let message = format!("a factor of {} columns was made for {columns}", factor.groups().len());
            return Err(Error::new(Kind::Other, message).subject(job.tensor.name));
        }
        Err(_) => (0..columns).map(|column| (column / group) as u32).collect(),
    };
    let assigned = assigned.as_slice();
    let mut codes = vec![0; rows * columns];
    let mut steps = vec![Steps { scale: 1.0, zero: 0 }; rows * groups];
    let parts = codes.chunks_mut(ROWS * columns).zip(steps.chunks_mut(ROWS * groups));
    let blocks: Vec<Mutex<Block>> =
        parts.map(|(codes, steps)| Mutex::new(Block { codes, steps, outcome: Outcome::default() })).collect();
    cx.parallel_for(blocks.len(), |number| {
        let mut block = blocks[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let weights = weights::outputs(job.tensor, turned, number * ROWS, block.codes.len())?;
        let rounded = match factor {
            Ok((factor, gram)) => {
                let stop = || cx.check().is_err();
                round(&weights, gram, factor, &job.method, &stop).ok_or_else(Error::cancelled)?
            }
            Err(_) => fitted(&weights, columns, &job.method),
        };
        block.take(job, rounded)?;
        if !turned {
            let values = block.values(columns, groups, assigned);
            out.feedback(job.tensor.index, number * ROWS, &values)?;
        }
        progress.add(block.codes.len());
        Ok(())
    })?;
    let mut outcome = Outcome::default();
    for block in blocks {
        // In the order of rows, so that the sum does not depend on the threads.
        let of = block.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).outcome;
        outcome.error += of.error;
        outcome.size += of.size;
    }
    if turned {
        let value = |row: usize, column: usize| {
            steps[row * groups + assigned[column] as usize].value(codes[row * columns + column])
        };
        weights::tell_turned([rows, columns], value, |first, rows| out.feedback(job.tensor.index, first, rows))?;
    }
    store::write(cx, job, &Coded { codes: &codes, steps: &steps, groups: assigned }, out)?;
    Ok(outcome)
}

impl Block<'_> {
    /// Takes over codes and steps.
    fn take(&mut self, job: &Job, rounded: Rounded) -> Result<(), Error> {
        if rounded.codes.len() != self.codes.len() || rounded.steps.len() != self.steps.len() {
            let message = format!("{} codes and {} steps were made", rounded.codes.len(), rounded.steps.len());
            return Err(Error::new(Kind::Other, message).subject(job.tensor.name));
        }
        self.codes.copy_from_slice(&rounded.codes);
        self.steps.copy_from_slice(&rounded.steps);
        self.outcome = Outcome { error: rounded.error, size: rounded.size };
        Ok(())
    }

    fn values(&self, columns: usize, groups: usize, assigned: &[u32]) -> Vec<f32> {
        let rows = self.codes.chunks_exact(columns).zip(self.steps.chunks_exact(groups));
        let value = |(codes, steps): (&[u8], &[Steps])| {
            codes.iter().zip(assigned).map(|(code, group)| steps[*group as usize].value(*code)).collect::<Vec<f32>>()
        };
        rows.flat_map(value).collect()
    }
}
