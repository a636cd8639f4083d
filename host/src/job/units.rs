//! The long part: every unit that is not there yet, a few side by side, their flushing beside the computing of others.
//!
//! One unit's loops keep all threads busy until its last pieces; then threads would wait for the slowest of them. A
//! second unit fills that gap: its loops queue behind those of the first, so units still finish nearly in order.

use super::done::Done;
use super::fallback::OnFallback;
use super::flush::{Computed, Flusher, Told};
use super::folding::Folding;
use super::journal::Journal;
use super::partial::Partial;
use super::services::JobServices;
use super::source::JobSource;
use super::stop::Stop;
use super::storage::Storage;
use super::tensors_of;
use super::unflushed::Unflushed;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::memory;
use crate::statistics::Measured;
use llmq_plugin_api::client::Session;
use llmq_plugin_api::sdk::StatisticKind;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

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
pub(super) struct Round<'r> {
    todo: &'r [u32],
    next: AtomicUsize,
    /// Set by the first failure, of a unit or of the flushing: nobody begins another unit, and those at work stop.
    pub(super) failed: &'r AtomicBool,
    done: Mutex<BTreeMap<u32, Done>>,
    stops: Mutex<Vec<(usize, Stop)>>,
    pub(super) unflushed: Unflushed,
    /// The source does not fit into memory, so the system's cache of what was read helps nobody.
    pub(super) forget: bool,
}

impl UnitLoop<'_> {
    /// Quantizes `todo`, with `done` of `total` units finished before. Returns what is kept of them.
    pub fn run(
        &self,
        todo: &[u32],
        (done, total): (usize, usize),
        journal: Option<Journal>,
    ) -> Result<BTreeMap<u32, Done>, Stop> {
        let weights = todo
            .iter()
            .map(|unit| self.weights_of(&tensors_of(self.source.model(), *unit)))
            .fold(0, u64::saturating_add);
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

    pub(super) fn weights_of(&self, tensors: &[usize]) -> u64 {
        let model = self.source.model();
        tensors.iter().map(|tensor| model.tensors[*tensor].elements()).fold(0, u64::saturating_add)
    }
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
