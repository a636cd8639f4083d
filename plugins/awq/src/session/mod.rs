//! One planned job: first by how much channels of a unit are scaled, then, with that folded in by the host, its matrices in the
//! order of the Gram matrices that they share; everything else copied.

mod fed_judge;
mod figures;
mod fold;
mod group;
mod judge;
mod matrix;
mod norm;
mod shared;
mod store;

use crate::choices::Choices;
use crate::plan::{Linear, Packed};
use figures::Told;
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Session, Unit};
use llmq_plugin_api::wire::{Folds, Plan, SmoothingGroup, UnitReport};
use llmq_safetensors_folders::files::{Layout, Place};
use llmq_safetensors_folders::work::{self, Progress};
use matrix::Job;
use std::time::Instant;

/// Rows of a matrix that one thread works on at a time. As many share their matrix products; the number must not depend on
/// threads, so that no bit does.
pub const ROWS: usize = 256;

/// A planned job.
pub struct AwqSession {
    /// The plan and what goes with it.
    pub layout: Layout<Linear>,
    /// What was asked for.
    pub choices: Choices,
    /// Channels that may be scaled, as the host named them.
    pub smoothing: Vec<SmoothingGroup>,
}

impl Session for AwqSession {
    fn plan(&self) -> &Plan {
        &self.layout.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        self.layout.literal(index, out)
    }

    fn fold(&self, cx: &Context, unit: &Unit) -> Result<Folds, Error> {
        fold::fold(self, cx, unit)
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        let progress = Progress::of(cx, unit);
        let mut jobs = Vec::new();
        for tensor in &unit.tensors {
            match self.layout.places.get(tensor.index) {
                Some(Place::Packed { matrix, first }) => {
                    let linear = matrix.as_ref();
                    jobs.push(Job {
                        tensor,
                        linear,
                        slots: Packed::from(*first),
                        method: self.choices.method(linear.group),
                        rounding: self.choices.rounding,
                        clips: self.choices.clips(&linear.role),
                    });
                }
                Some(Place::Plain { slot, dtype }) => work::copy(cx, tensor, *slot, *dtype, out, &progress)?,
                None => return Err(Error::new(Kind::Other, format!("tensor {} was not planned", tensor.index))),
            }
        }
        let mut report = UnitReport::default();
        for shared in work::by_gram(unit, jobs, |job| job.tensor.index, Job::alike) {
            let mut began = Instant::now();
            let known = shared::known(&shared, cx, &self.choices)?;
            for job in &shared.jobs {
                let outcome = matrix::quantize(cx, job, known.as_ref(), out, &progress)?;
                // The first of those that share a factor is charged with it.
                let seconds = std::mem::replace(&mut began, Instant::now()).elapsed().as_secs_f64();
                figures::note(&mut report, &Told { job, shared: &shared, known: known.as_ref(), outcome, seconds });
            }
        }
        figures::few_tokens(&mut report, unit, &self.layout);
        Ok(report)
    }
}
