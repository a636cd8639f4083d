//! Threads that are lent by whoever calls.

use std::sync::atomic::{AtomicBool, Ordering};

/// Runs pieces of work side by side.
pub trait Workers: Sync {
    /// Calls `body(0)` to `body(count - 1)`, in any order and on any threads; returns when all have returned. `false` if it
    /// stopped before all were called, because somebody wants to stop.
    fn each(&self, count: usize, body: &(dyn Fn(usize) + Sync)) -> bool;
}

/// The caller's own thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Workers for Alone {
    fn each(&self, count: usize, body: &(dyn Fn(usize) + Sync)) -> bool {
        (0..count).for_each(body);
        true
    }
}

/// Several calls of [`Workers::each`] that end together at the first that was stopped.
pub(crate) struct Steady<'a> {
    workers: &'a dyn Workers,
    stopped: AtomicBool,
}

impl<'a> Steady<'a> {
    pub(crate) fn new(workers: &'a dyn Workers) -> Steady<'a> {
        Steady { workers, stopped: AtomicBool::new(false) }
    }

    pub(crate) fn each(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        if !self.stopped() && !self.workers.each(count, body) {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
