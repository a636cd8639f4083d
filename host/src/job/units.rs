//! The long part: every unit that is not there yet, a few side by side, their flushing beside the computing of others.
//!
//! One unit's loops keep all threads busy until its last pieces; then threads would wait for the slowest of them. A
//! second unit fills that gap: its loops queue behind those of the first, so units still finish nearly in order.

use super::done::Done;
use super::fallback::{self, OnFallback};
use super::flush::{Computed, Flusher, Told};
use super::folding::Folding;
use super::journal::Journal;
use super::partial::Partial;
use super::services::{Held, JobServices, UnitServices};
use super::sink::{Flushing, UnitSink};
use super::source::JobSource;
use super::stop::{self, Stop};
use super::storage::Storage;
use super::tensors_of;
use super::unflushed::Unflushed;
use super::weights::Weights;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::fold::{Changes, Folded};
use crate::memory;
use crate::statistics::{Handful, Measured};
use llmq_plugin_api::client::{Session, SourceTensor, UnitInput};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::UnitReport;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Stack of a thread that leads a unit: as large as a main thread's, because backends may compute on it.
const LEADER_STACK: usize = 8 << 20;

/// Everything the units of one job share.
pub struct UnitLoop<'a> {
    /// The backend's session.
    pub session: &'a Session,
    /// The model.
    pub source: &'a JobSource<'a>,
    /// What was measured, if anything.
    pub statistics: Option<&'a dyn Measured>,
    /// Kinds of it that are handed in.
    pub kinds: Vec<StatisticKind>,
    /// Who folds, if the plan does.
    pub folding: Option<&'a Folding<'a>>,
    /// Threads, budget, progress.
    pub services: &'a JobServices<'a>,
    /// The growing output.
    pub partial: &'a Partial<'a>,
    /// Where it lies.
    pub storage: &'a dyn Storage,
    /// Id of the plugin, for messages.
    pub plugin: &'a str,
    /// Units at work at the same time, at least 1.
    pub side_by_side: usize,
    /// Whether a fallback stops the job.
    pub on_fallback: OnFallback,
}

/// Where the leaders of units meet.
struct Round<'r> {
    todo: &'r [u32],
    next: AtomicUsize,
    /// Set by the first failure, of a unit or of the flushing: nobody begins another unit, and those at work stop.
    failed: &'r AtomicBool,
    done: Mutex<BTreeMap<u32, Done>>,
    stops: Mutex<Vec<(usize, Stop)>>,
    unflushed: Unflushed,
    /// The source does not fit into memory, so the system's cache of what was read helps nobody.
    forget: bool,
}

impl UnitLoop<'_> {
    /// Quantizes `todo`, with `done` of `total` units finished before. Returns what is kept of them.
    pub fn run(
        &self,
        todo: &[u32],
        (done, total): (usize, usize),
        journal: Option<Journal>,
    ) -> Result<BTreeMap<u32, Done>, Stop> {
        let weights = todo.iter().map(|unit| self.weights_of(*unit)).fold(0, u64::saturating_add);
        self.services.tell(Event::Started { verb: "Quantizing", done, total, weights });
        let failed = AtomicBool::new(false);
        let tell = |event| self.services.tell(event);
        let counts = (done, total);
        let flusher = Flusher { partial: self.partial, storage: self.storage, tell: &tell, counts, failed: &failed };
        let round = Round {
            todo,
            next: AtomicUsize::new(0),
            failed: &failed,
            done: Mutex::default(),
            stops: Mutex::default(),
            unflushed: Unflushed::default(),
            forget: memory::available().is_some_and(|left| left < self.source.weights().source_bytes()),
        };
        // One unit may wait while one is flushed: computing never gets further ahead of the disk than that and the
        // units at work, so dirty pages stay bounded.
        let (send, receive) = sync_channel(1);
        let flushed = std::thread::scope(|scope| {
            let flushing = scope.spawn(|| flusher.run(journal, receive));
            for _ in 0..self.side_by_side.min(todo.len()) {
                let (round, send) = (&round, send.clone());
                let leader = std::thread::Builder::new().name("unit".into()).stack_size(LEADER_STACK);
                if let Err(error) = leader.spawn_scoped(scope, move || self.lead(round, &send)) {
                    let message = format!("cannot start a thread for the next unit: {error}");
                    round.fail(0, Stop::resumable(Failure::new(Class::General, message)));
                }
            }
            drop(send);
            flushing.join().unwrap_or_else(|_| {
                let message = "the thread that flushes finished units panicked";
                Err(Stop::resumable(Failure::new(Class::General, message)))
            })
        });
        self.services.tell(Event::Finished);
        // A failure of the flushing made computing stop, so it comes first.
        let finished = flushed?;
        match round.first_stop() {
            Some(stop) if stop.failure.class == Class::Interrupted => {
                Err(Failure::new(Class::Interrupted, format!("stopped after {finished} of {total} units")).into())
            }
            Some(stop) => Err(stop),
            None => Ok(round.done.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Takes units one after the other until none is left or something failed.
    fn lead(&self, round: &Round, send: &SyncSender<Told>) {
        while !round.failed.load(Ordering::SeqCst) {
            let position = round.next.fetch_add(1, Ordering::SeqCst);
            let Some(unit) = round.todo.get(position) else { return };
            if let Some(ahead) = round.todo.get(position + self.side_by_side) {
                self.source.weights().will_need(*ahead as usize);
            }
            match self.unit(*unit, round, send) {
                Ok(done) => {
                    round.done.lock().unwrap_or_else(PoisonError::into_inner).insert(*unit, done.clone());
                    let id = self.source.model().units[*unit as usize].id.clone();
                    // A closed channel means that flushing failed; its own error is the one that counts.
                    let _ = send.send(Told::Finished(Computed { unit: *unit, id, done }));
                }
                Err(stop) => return round.fail(position, stop),
            }
        }
    }

    fn unit(&self, unit: u32, round: &Round, told: &SyncSender<Told>) -> Result<Done, Stop> {
        self.services.check_cancelled()?;
        let began = Instant::now();
        let model = self.source.model();
        let id = &model.units[unit as usize].id;
        let tensors = tensors_of(model, unit);
        if !self.session.plan().refuses_non_finite {
            self.check_finite(self.source.weights(), &tensors, "")?;
        }
        let services = UnitServices::new(self.services, self.weights_of(unit), round.failed);
        // Held until the unit is done, and counted as long.
        let mut statistics = (None, Handful::default());
        if let Some(measured) = self.statistics {
            let grant = self.services.hold(measured.bytes(&tensors, &self.kinds));
            let grant = grant.map_err(|error| Stop::resumable(error.into()))?;
            // What is finished is right whatever became of the files of the statistics.
            let values = measured.load(&tensors, &self.kinds).map_err(Stop::resumable)?;
            statistics = (Some(grant), values);
        }
        let (changes, found, _held) = self.fold(unit, &tensors, &services, &mut statistics.1)?;
        let folded = JobSource::new(Box::new(Folded::new(self.source.weights(), &changes)));
        let source = if changes.is_empty() { self.source } else { &folded };
        let input = UnitInput { index: unit, id, tensors: views(source, &tensors)?, statistics: statistics.1.views() };
        let flushing = Flushing { unflushed: &round.unflushed, told };
        let sink = UnitSink::new(unit, self.session.plan(), model, self.partial, self.storage, flushing);
        let result = self.session.quantize(&services, source, &input, &sink);
        // The sink's own fault is the cause; what the backend made of it is only an echo.
        let done = match (result, sink.finish()) {
            (Ok(report), Ok(fed)) => Done { report: joined(found, report), fed },
            (Ok(_), Err(fault)) => return Err(fault),
            (Err(error), Err(fault)) if error.message == fault.failure.message => return Err(fault),
            (Err(error), _) => return Err(stop::backend(self.plugin, id, error)),
        };
        fallback::accept(self.on_fallback, id, &done.report)?;
        services.finished();
        self.source.weights().done_with(unit as usize, round.forget);
        for warning in &done.report.warnings {
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
        Ok(done)
    }

    /// What folding makes of a unit: its changes, what the backend found, and the memory that it takes. Statistics become
    /// those of the folded model.
    fn fold(
        &self,
        unit: u32,
        tensors: &[usize],
        services: &UnitServices<'_>,
        statistics: &mut Handful<'_>,
    ) -> Result<(Changes, UnitReport, Option<Held<'_>>), Stop> {
        let Some(folding) = self.folding else { return Ok(Default::default()) };
        let id = &self.source.model().units[unit as usize].id;
        let input =
            UnitInput { index: unit, id, tensors: views(self.source, tensors)?, statistics: statistics.views() };
        let (changes, mut found) = folding.unit(services, &input)?;
        drop(input);
        let bytes = folding.bytes_of(unit).saturating_add(statistics.fold_bytes(&changes));
        let held = self.services.hold(bytes).map_err(|error| Stop::resumable(error.into()))?;
        for part in statistics.fold(&changes) {
            let name = &self.source.model().tensors[part.tensor as usize].name;
            found.warnings.push(format!(
                "statistics of all experts of `{name}` together are of no use behind scales that differ by expert"
            ));
        }
        if !self.session.plan().refuses_non_finite {
            let touched: Vec<usize> = tensors.iter().copied().filter(|tensor| changes.touch(*tensor)).collect();
            let folded = Folded::new(self.source.weights(), &changes);
            self.check_finite(&folded, &touched, " with scales folded in")?;
        }
        Ok((changes, found, Some(held)))
    }

    /// Refuses weights that are no finite numbers: every block they touch would be garbage.
    fn check_finite(&self, weights: &dyn Weights, tensors: &[usize], how: &str) -> Result<(), Failure> {
        let look = |index: &usize| Ok(weights.non_finite(*index)?.map(|place| (*index, place)));
        let found: Result<Vec<_>, Failure> = self.services.pool().install(|| tensors.par_iter().map(look).collect());
        let Some((index, place)) = found?.into_iter().flatten().next() else { return Ok(()) };
        let message = format!(
            "tensor `{}` is not usable{how}: row {}, column {} is {}",
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

/// Views of tensors as a source has them.
fn views<'s>(source: &'s JobSource<'_>, tensors: &[usize]) -> Result<Vec<SourceTensor<'s>>, Failure> {
    tensors.iter().map(|index| source.view(*index)).collect()
}

/// What a backend found before it quantized a unit and after; of figures with one name both are kept.
fn joined(before: UnitReport, mut after: UnitReport) -> UnitReport {
    after.warnings.splice(0..0, before.warnings);
    for (name, figure) in before.figures {
        let name = if after.figures.contains_key(&name) { format!("fold_{name}") } else { name };
        after.figures.insert(name, figure);
    }
    after
}

impl Round<'_> {
    fn fail(&self, position: usize, stop: Stop) {
        self.failed.store(true, Ordering::SeqCst);
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).push((position, stop));
    }

    /// What the user is told: of several failures the one of the earliest unit. Units that stopped because another
    /// one failed report an interruption nobody asked for; it counts only if there is nothing else.
    fn first_stop(&self) -> Option<Stop> {
        let stops = std::mem::take(&mut *self.stops.lock().unwrap_or_else(PoisonError::into_inner));
        let order = |(position, stop): &(usize, Stop)| (stop.failure.class == Class::Interrupted, *position);
        stops.into_iter().min_by_key(order).map(|(_, stop)| stop)
    }
}
