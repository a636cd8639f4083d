//! The second half of a unit, beside the computing of the next one: flush its bytes, read them back, write its line.

use super::journal::{Journal, Line};
use super::partial::Partial;
use super::stop::Stop;
use super::storage::Storage;
use crate::event::Event;
use llmq_plugin_api::wire::UnitReport;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

/// A unit whose bytes were all handed to the system.
pub struct Computed {
    /// Its index.
    pub unit: u32,
    /// Its id.
    pub id: String,
    /// What the backend said.
    pub report: UnitReport,
}

/// What flushing needs.
pub struct Flusher<'a> {
    /// The growing output.
    pub partial: &'a Partial<'a>,
    /// Where it lies.
    pub storage: &'a dyn Storage,
    /// Receiver of [`Event::UnitDone`].
    pub tell: &'a (dyn Fn(Event) + Sync),
    /// Units finished before this run, and all units.
    pub counts: (usize, usize),
    /// Set when flushing failed, so that computing stops as well.
    pub failed: &'a AtomicBool,
}

impl Flusher<'_> {
    /// Works until no unit comes any more, and returns how many are finished then. Without a journal nothing can be resumed, so nothing is flushed before the
    /// end either.
    pub fn run(&self, mut journal: Option<Journal>, units: Receiver<Computed>) -> Result<usize, Stop> {
        let (mut done, total) = self.counts;
        for computed in units {
            if let Some(journal) = &mut journal
                && let Err(stop) = self.unit(journal, &computed)
            {
                self.failed.store(true, Ordering::SeqCst);
                return Err(stop);
            }
            done += 1;
            (self.tell)(Event::UnitDone { id: computed.id, done, total });
        }
        Ok(done)
    }

    fn unit(&self, journal: &mut Journal, computed: &Computed) -> Result<(), Stop> {
        self.partial.sync(Some(computed.unit), self.storage)?;
        let (bytes, xxh3) = self.partial.checksum(computed.unit)?;
        journal.append(self.storage, &Line { unit: computed.id.clone(), bytes, xxh3, report: computed.report.clone() })
    }
}
