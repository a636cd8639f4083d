//! Host services for a check: plain threads, a cancel switch, and a ledger of the memory budget.

use llmq_plugin_api::client;
use llmq_plugin_api::sdk::Error;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Services with a number of threads.
#[derive(Default)]
pub struct Services {
    threads: u32,
    cancelled: AtomicBool,
    next_token: AtomicU64,
    outstanding: Mutex<BTreeSet<u64>>,
}

impl Services {
    /// Services that run loops on `threads` threads.
    pub fn new(threads: u32) -> Services {
        Services { threads, ..Services::default() }
    }

    /// Asks the backend to stop.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Reservations that were never given back.
    pub fn outstanding(&self) -> usize {
        self.ledger().len()
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.outstanding.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl client::Services for Services {
    fn log(&self, _: u32, _: &str) {}

    fn progress(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    fn threads(&self) -> u32 {
        self.threads
    }

    /// Threads of its own for every call, so that nesting cannot deadlock. A check may be slow.
    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        if self.threads <= 1 {
            return (0..count).for_each(job);
        }
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..u64::from(self.threads).min(count) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return;
                        }
                        // From the end, so that an order that only one thread would keep shows.
                        job(count - 1 - index);
                    }
                });
            }
        });
    }

    fn reserve(&self, _: u64) -> Result<u64, Error> {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        self.ledger().insert(token);
        Ok(token)
    }

    fn release(&self, token: u64) {
        self.ledger().remove(&token);
    }

    fn device(&self) -> String {
        "cpu".into()
    }
}
