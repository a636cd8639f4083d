//! The long part: every unit that is not there yet, one after the other, its flushing beside the next one's computing.

use super::flush::{Computed, Flusher};
use super::journal::Journal;
use super::partial::Partial;
use super::services::JobServices;
use super::sink::UnitSink;
use super::source::JobSource;
use super::stop::{self, Stop};
use super::storage::Storage;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::memory;
use llmq_plugin_api::client::{Session, UnitInput};
use llmq_plugin_api::wire::UnitReport;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// Everything the units of one job share.
pub struct UnitLoop<'a> {
    /// The backend's session.
    pub session: &'a Session,
    /// The model.
    pub source: &'a JobSource<'a>,
    /// Threads, budget, progress.
    pub services: &'a JobServices<'a>,
    /// The growing output.
    pub partial: &'a Partial<'a>,
    /// Where it lies.
    pub storage: &'a dyn Storage,
    /// Id of the plugin, for messages.
    pub plugin: &'a str,
}

impl UnitLoop<'_> {
    /// Quantizes `todo` in order, with `done` of `total` units finished before. Returns the reports.
    pub fn run(
        &self,
        todo: &[u32],
        (done, total): (usize, usize),
        journal: Option<Journal>,
    ) -> Result<BTreeMap<u32, UnitReport>, Stop> {
        let weights = todo.iter().map(|unit| self.weights_of(*unit)).fold(0, u64::saturating_add);
        self.services.tell(Event::Started { done, total, weights });
        let failed = AtomicBool::new(false);
        let tell = |event| self.services.tell(event);
        let counts = (done, total);
        let flusher = Flusher { partial: self.partial, storage: self.storage, tell: &tell, counts, failed: &failed };
        // One unit may wait while one is flushed: computing never gets further ahead of the disk than that, so dirty
        // pages stay bounded.
        let (send, receive) = sync_channel(1);
        let result = std::thread::scope(|scope| {
            let flushing = scope.spawn(|| flusher.run(journal, receive));
            let mut reports = BTreeMap::new();
            let computed = todo.iter().enumerate().try_for_each(|(position, unit)| {
                if failed.load(Ordering::SeqCst) {
                    return Ok(());
                }
                if let Some(next) = todo.get(position + 1) {
                    self.source.weights().will_need(*next as usize);
                }
                let report = self.unit(*unit)?;
                reports.insert(*unit, report.clone());
                let id = self.source.model().units[*unit as usize].id.clone();
                // A closed channel means that flushing failed; its own error is the one that counts.
                let _ = send.send(Computed { unit: *unit, id, report });
                Ok::<(), Stop>(())
            });
            drop(send);
            let flushed = flushing.join().unwrap_or_else(|_| {
                let message = "the thread that flushes finished units panicked";
                Err(Stop::resumable(Failure::new(Class::General, message)))
            });
            // A failure of the flushing made computing stop, so it comes first.
            let finished = flushed?;
            match computed {
                Err(stop) if stop.failure.class == Class::Interrupted => {
                    Err(Failure::new(Class::Interrupted, format!("stopped after {finished} of {total} units")).into())
                }
                other => other.map(|()| reports),
            }
        });
        self.services.tell(Event::Finished);
        result
    }

    fn unit(&self, unit: u32) -> Result<UnitReport, Stop> {
        self.services.check_cancelled()?;
        let began = Instant::now();
        let model = self.source.model();
        let id = &model.units[unit as usize].id;
        let tensors: Vec<usize> = (0..model.tensors.len()).filter(|index| model.tensors[*index].unit == unit).collect();
        self.check_finite(&tensors)?;
        self.services.unit_begins(self.weights_of(unit));
        let views = tensors.iter().map(|index| self.source.view(*index)).collect::<Result<Vec<_>, _>>()?;
        let input = UnitInput { index: unit, id, tensors: views, statistics: Vec::new() };
        let sink = UnitSink::new(unit, self.session.plan(), model, self.partial, self.storage);
        let result = self.session.quantize(self.services, self.source, &input, &sink);
        // The sink's own fault is the cause; what the backend made of it is only an echo.
        let report = match (result, sink.finish()) {
            (Ok(report), Ok(())) => report,
            (Ok(_), Err(fault)) => return Err(fault),
            (Err(error), Err(fault)) if error.message == fault.failure.message => return Err(fault),
            (Err(error), _) => return Err(stop::backend(self.plugin, id, error)),
        };
        self.services.unit_ends();
        self.source.weights().done_with(unit as usize);
        for warning in &report.warnings {
            self.services.tell(Event::Warning(format!("{id}: {warning}")));
        }
        let memory = memory::usage();
        self.services.tell(Event::Detail(format!(
            "{id}: {} weights in {:.2} s; memory {} MiB anonymous, {} MiB mapped",
            self.weights_of(unit),
            began.elapsed().as_secs_f64(),
            memory.anonymous >> 20,
            memory.mapped >> 20
        )));
        Ok(report)
    }

    /// Refuses weights that are no finite numbers: every block they touch would be garbage.
    fn check_finite(&self, tensors: &[usize]) -> Result<(), Failure> {
        let weights = self.source.weights();
        let look = |index: &usize| Ok(weights.non_finite(*index)?.map(|place| (*index, place)));
        let found: Result<Vec<_>, Failure> = self.services.pool().install(|| tensors.par_iter().map(look).collect());
        let Some((index, place)) = found?.into_iter().flatten().next() else { return Ok(()) };
        let message = format!(
            "tensor `{}` is not usable: row {}, column {} is {}",
            self.source.model().tensors[index].name,
            place.row,
            place.column,
            place.value
        );
        Err(Failure::new(Class::General, message).suggest("The model is damaged; download it again or ask its author."))
    }

    fn weights_of(&self, unit: u32) -> u64 {
        let tensors = self.source.model().tensors.iter().filter(|t| t.unit == unit);
        tensors.map(|t| t.elements()).fold(0, u64::saturating_add)
    }
}
