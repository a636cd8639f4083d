//! One planned job: a unit's matrices in the order of the Gram matrices that they share, everything else copied.

mod figures;
mod matrix;
mod plain;
mod shared;
mod store;
mod threads;
mod weights;

use crate::choices::{Choices, Zeros};
use crate::plan::{Layout, Place};
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Session, Unit};
use llmq_plugin_api::wire::{Plan, UnitReport};
use matrix::Job;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of a matrix that one thread rounds at a time. As many share their matrix products; the number must not depend on
/// threads, so that no bit does.
pub const ROWS: usize = 256;

/// A planned job.
pub struct GptqSession {
    /// The plan and what goes with it.
    pub layout: Layout,
    /// What was asked for.
    pub choices: Choices,
    /// How zeros are stored.
    pub zeros: Zeros,
}

/// Weights done, of all of a unit.
pub(crate) struct Progress<'a, 'c> {
    cx: &'a Context<'c>,
    done: AtomicU64,
    total: u64,
}

impl Progress<'_, '_> {
    fn add(&self, weights: usize) {
        let weights = weights as u64;
        self.cx.progress(self.done.fetch_add(weights, Ordering::Relaxed) + weights, self.total);
    }
}

impl Session for GptqSession {
    fn plan(&self) -> &Plan {
        &self.layout.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        match self.layout.literals.get(index) {
            Some(bytes) if bytes.len() == out.len() => out.copy_from_slice(bytes),
            _ => return Err(Error::new(Kind::Other, format!("there is no literal {index} of {} bytes", out.len()))),
        }
        Ok(())
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        let total = unit.tensors.iter().map(|tensor| (tensor.rows() * tensor.columns()) as u64).sum();
        let progress = Progress { cx, done: AtomicU64::new(0), total };
        let mut jobs = Vec::new();
        for tensor in &unit.tensors {
            match self.layout.places.get(tensor.index) {
                Some(Place::Packed(linear, slots)) => {
                    let method = self.choices.method(linear.settings, linear.columns);
                    jobs.push(Job { tensor, linear, slots: *slots, method, zeros: self.zeros });
                }
                Some(Place::Plain { slot, dtype }) => plain::copy(cx, tensor, *slot, *dtype, out, &progress)?,
                None => return Err(Error::new(Kind::Other, format!("tensor {} was not planned", tensor.index))),
            }
        }
        let mut report = UnitReport::default();
        for shared in shared::by_gram(unit, jobs) {
            let factored = shared.factor(cx)?;
            for job in &shared.jobs {
                let known = factored.as_ref().map(|factor| (factor, shared.values()));
                let outcome = matrix::quantize(cx, job, known, out, &progress)?;
                figures::note(&mut report, job, &shared, factored.as_ref(), &outcome);
            }
        }
        Ok(report)
    }
}
