//! The second half of a unit, beside the computing of the next one: flush its bytes, read them back, write its line. Long
//! units, and jobs without a journal, are flushed in between as well, so that little is left to write at any moment.

use super::done::Done;
use super::journal::{Journal, Line};
use super::partial::Partial;
use super::stop::Stop;
use super::storage::Storage;
use crate::event::Event;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

/// A unit whose bytes were all handed to the system.
pub struct Computed {
    /// Its index.
    pub unit: u32,
    /// Its id.
    pub id: String,
    /// What is kept of it.
    pub done: Done,
}

/// What the flushing thread is told.
pub enum Told {
    /// Much was written since the last flush.
    Due,
    /// A unit is finished.
    Finished(Computed),
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
    /// Works until no unit comes any more, and returns how many are finished then. Without a journal nothing can be
    /// resumed, so a finished unit is no reason to flush.
    pub fn run(&self, mut journal: Option<Journal>, told: Receiver<Told>) -> Result<usize, Stop> {
        let (mut done, total) = self.counts;
        for told in told {
            let flushed = match (&told, &mut journal) {
                (Told::Due, _) => self.partial.sync(None, self.storage),
                (Told::Finished(computed), Some(journal)) => self.unit(journal, computed),
                (Told::Finished(_), None) => Ok(()),
            };
            if let Err(stop) = flushed {
                self.failed.store(true, Ordering::SeqCst);
                return Err(stop);
            }
            if let Told::Finished(computed) = told {
                done += 1;
                (self.tell)(Event::UnitDone { id: computed.id, done, total });
            }
        }
        Ok(done)
    }

    fn unit(&self, journal: &mut Journal, computed: &Computed) -> Result<(), Stop> {
        self.partial.sync(Some(computed.unit), self.storage)?;
        let (bytes, xxh3) = self.partial.checksum(computed.unit)?;
        let Done { report, fed } = computed.done.clone();
        journal.append(self.storage, &Line { unit: computed.id.clone(), bytes, xxh3, report, fed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::target::Target;
    use llmq_plugin_api::wire::{FormatDescriptor, OutputFile, Plan};
    use std::fs::File;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::sync_channel;

    /// A disk that counts flushes.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Storage for Counting {
        fn sync(&self, _: &File) -> std::io::Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn what_is_due_is_flushed_before_any_unit_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let format = serde_json::json!({"id": "t", "summary": "", "can_write": true, "can_read": true,
            "container": "file", "extension": "x", "levels": []});
        let format: FormatDescriptor = serde_json::from_value(format).unwrap();
        let target = Target::new(folder.path(), Some("m.x"), "m", "L", &format).unwrap();
        let plan = Plan { files: vec![OutputFile { name: "m.x".into(), bytes: 10 }], ..Plan::default() };
        let disk = Counting::default();
        let partial = Partial::open(&target, &plan, false, &disk).unwrap();
        let failed = AtomicBool::new(false);
        let flusher = Flusher { partial: &partial, storage: &disk, tell: &|_| {}, counts: (0, 3), failed: &failed };
        let (send, receive) = sync_channel(3);
        send.send(Told::Due).unwrap();
        send.send(Told::Due).unwrap();
        send.send(Told::Finished(Computed { unit: 0, id: "a".into(), done: Done::default() })).unwrap();
        drop(send);
        assert_eq!(flusher.run(None, receive).unwrap(), 1);
        assert_eq!(disk.0.into_inner(), 2);
    }
}
