//! One planned job: a unit's matrices in the order of the Gram matrices that they share, everything else copied.

mod figures;
mod matrix;
mod shared;
mod store;

use crate::choices::{Choices, Zeros};
use crate::plan::{Linear, Packed};
use figures::Told;
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Session, Unit};
use llmq_plugin_api::wire::{Plan, UnitReport};
use llmq_safetensors_folders::files::{Layout, Place};
use llmq_safetensors_folders::work::{self, Progress};
use matrix::Job;
use std::time::Instant;

/// Rows of a matrix that one thread rounds at a time. As many share their matrix products; the number must not depend on
/// threads, so that no bit does.
pub const ROWS: usize = 256;

/// A planned job.
pub struct GptqSession {
    /// The plan and what goes with it.
    pub layout: Layout<Linear>,
    /// What was asked for.
    pub choices: Choices,
    /// How zeros are stored.
    pub zeros: Zeros,
}

impl Session for GptqSession {
    fn plan(&self) -> &Plan {
        &self.layout.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        self.layout.literal(index, out)
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        let progress = Progress::of(cx, unit);
        let mut jobs = Vec::new();
        for tensor in &unit.tensors {
            match self.layout.places.get(tensor.index) {
                Some(Place::Packed { matrix, first }) => {
                    let (linear, slots) = (matrix.as_ref(), Packed::from(*first));
                    let method = self.choices.method(linear.settings, linear.columns, self.zeros);
                    jobs.push(Job { tensor, linear, slots, method, zeros: self.zeros });
                }
                Some(Place::Plain { slot, dtype }) => work::copy(cx, tensor, *slot, *dtype, out, &progress)?,
                None => return Err(Error::new(Kind::Other, format!("tensor {} was not planned", tensor.index))),
            }
        }
        let mut report = UnitReport::default();
        for shared in work::by_gram(unit, jobs, |job| job.tensor.index, Job::alike) {
            let mut began = Instant::now();
            let known = shared::known(&shared, cx, self.choices.rounding)?;
            for job in &shared.jobs {
                let factor = known.as_ref().map(|(factor, _)| factor);
                let given = known.as_ref().map(|(factor, gram)| (factor, *gram));
                let outcome = matrix::quantize(cx, job, given, out, &progress)?;
                // The first of those that share a factor is charged with it.
                let seconds = std::mem::replace(&mut began, Instant::now()).elapsed().as_secs_f64();
                let told = Told { job, shared: &shared, factor, outcome, seconds };
                figures::note(&mut report, &told);
            }
        }
        Ok(report)
    }
}
