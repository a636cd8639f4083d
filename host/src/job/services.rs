//! What a backend gets from the host while it works: threads, memory budget, progress, log, the wish to stop.

use super::budget::Budget;
use crate::cancel::Cancel;
use crate::event::{Event, Observer};
use crate::failure::{Class, Failure};
use crate::threads::pool;
use llmq_plugin_api::{client, sdk};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Most worker threads one job may have.
pub const MAX_THREADS: usize = 1024;

/// Services of one job.
pub struct JobServices<'a> {
    pool: rayon::ThreadPool,
    budget: Budget,
    progress: Progress,
    plugin: String,
    device: String,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

/// Weights finished, shares of the units at work included.
#[derive(Default)]
struct Progress {
    finished: AtomicU64,
    shown: AtomicU64,
}

/// Services of one unit at work: the job's, with the unit's share of progress and its wish to stop.
pub struct UnitServices<'u> {
    job: &'u JobServices<'u>,
    /// Weights of the unit.
    weights: u64,
    /// Of these, told as finished.
    told: AtomicU64,
    /// Another unit failed: this one's work is in vain.
    failed: &'u AtomicBool,
}

/// A part of the memory budget that the host itself uses.
pub struct Held<'b> {
    budget: &'b Budget,
    token: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.release(self.token);
    }
}

impl<'u> UnitServices<'u> {
    /// For a unit of `weights` weights.
    pub fn new(job: &'u JobServices<'u>, weights: u64, failed: &'u AtomicBool) -> UnitServices<'u> {
        UnitServices { job, weights, told: AtomicU64::new(0), failed }
    }

    /// The unit is finished.
    pub fn finished(&self) {
        self.tell_share(self.weights);
    }

    fn tell_share(&self, share: u64) {
        // Threads report out of order; a share that was overtaken adds nothing.
        let before = self.told.fetch_max(share, Ordering::Relaxed);
        self.job.advance(share.saturating_sub(before));
    }
}

impl<'a> JobServices<'a> {
    /// Starts the worker threads. `threads` absent = every core this process may use.
    pub fn start(
        threads: Option<usize>,
        memory_limit: Option<u64>,
        plugin: &str,
        device: &str,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<JobServices<'a>, Failure> {
        Ok(JobServices {
            pool: pool(threads)?,
            budget: Budget::new(memory_limit),
            progress: Progress::default(),
            plugin: plugin.to_owned(),
            device: device.to_owned(),
            observer,
            cancel,
        })
    }

    /// The worker threads.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Tells the observer.
    pub fn tell(&self, event: Event) {
        self.observer.event(event);
    }

    /// Fails once a stop was asked for.
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if self.cancel.requested() { Err(Failure::new(Class::Interrupted, "the job was stopped")) } else { Ok(()) }
    }

    /// The same for the forward pass.
    pub fn of_pass(&self) -> crate::pass::Services<'_> {
        crate::pass::Services { pool: &self.pool, cancel: self.cancel, observer: self.observer }
    }

    /// Takes `bytes` of the memory budget until the value is dropped.
    pub fn hold(&self, bytes: u64) -> Result<Held<'_>, sdk::Error> {
        Ok(Held { budget: &self.budget, token: self.budget.reserve(bytes)? })
    }

    fn advance(&self, weights: u64) {
        let finished = self.progress.finished.fetch_add(weights, Ordering::Relaxed).saturating_add(weights);
        // Threads report out of order; a bar that steps back would look broken.
        if self.progress.shown.fetch_max(finished, Ordering::Relaxed) < finished {
            self.tell(Event::Progress { weights: finished });
        }
    }
}

impl client::Services for JobServices<'_> {
    fn log(&self, level: u32, message: &str) {
        let text = format!("{}: {message}", self.plugin);
        self.tell(match level {
            0..=2 => Event::Warning(text),
            3 => Event::Detail(text),
            _ => Event::Debug(text),
        });
    }

    /// Planning and validating have no bar; only units do.
    fn progress(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        self.cancel.requested()
    }

    fn threads(&self) -> u32 {
        self.pool.current_num_threads() as u32
    }

    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        self.pool.install(|| (0..count).into_par_iter().for_each(job));
    }

    fn reserve(&self, bytes: u64) -> Result<u64, sdk::Error> {
        self.budget.reserve(bytes)
    }

    fn release(&self, token: u64) {
        self.budget.release(token);
    }

    fn device(&self) -> String {
        self.device.clone()
    }
}

impl client::Services for UnitServices<'_> {
    fn log(&self, level: u32, message: &str) {
        self.job.log(level, message);
    }

    fn progress(&self, done: u64, total: u64) {
        // The backend's own total may count other things than ours; only the share is taken from it.
        let share = u128::from(self.weights) * u128::from(done.min(total)) / u128::from(total.max(1));
        self.tell_share(share as u64);
    }

    fn cancelled(&self) -> bool {
        self.job.cancelled() || self.failed.load(Ordering::Relaxed)
    }

    fn threads(&self) -> u32 {
        self.job.threads()
    }

    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        self.job.parallel_for(count, job);
    }

    fn reserve(&self, bytes: u64) -> Result<u64, sdk::Error> {
        self.job.reserve(bytes)
    }

    fn release(&self, token: u64) {
        self.job.release(token);
    }

    fn device(&self) -> String {
        self.job.device()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Services;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Observer for Heard {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn progress_is_a_share_of_each_unit_and_never_steps_back() {
        let (heard, cancel, failed) = (Heard::default(), Cancel::default(), AtomicBool::new(false));
        let services = JobServices::start(Some(2), None, "toy", "cpu", &heard, &cancel).unwrap();
        let (first, second) = (UnitServices::new(&services, 100, &failed), UnitServices::new(&services, 10, &failed));
        first.progress(5, 10);
        first.progress(3, 10);
        first.progress(7, 0);
        second.progress(u64::MAX, u64::MAX);
        first.finished();
        second.finished();
        let seen = heard.0.lock().unwrap().clone();
        assert_eq!(seen, [50, 60, 110].map(|weights| Event::Progress { weights }));
    }

    #[test]
    fn a_failure_elsewhere_asks_a_unit_to_stop() {
        let (heard, cancel, failed) = (Heard::default(), Cancel::default(), AtomicBool::new(false));
        let services = JobServices::start(Some(1), None, "toy", "cpu", &heard, &cancel).unwrap();
        let unit = UnitServices::new(&services, 1, &failed);
        assert!(!unit.cancelled());
        failed.store(true, Ordering::Relaxed);
        assert!(unit.cancelled() && !services.cancelled());
    }

    #[test]
    fn nested_loops_finish_on_any_number_of_threads() {
        let (heard, cancel) = (Heard::default(), Cancel::default());
        for threads in [1, 3] {
            let services = JobServices::start(Some(threads), None, "toy", "cpu", &heard, &cancel).unwrap();
            let sum = AtomicU64::new(0);
            services.parallel_for(20, &|i| {
                services.parallel_for(20, &|j| {
                    sum.fetch_add(i * j, Ordering::Relaxed);
                });
            });
            assert_eq!(sum.into_inner(), 190 * 190);
        }
    }

    #[test]
    fn thread_numbers_outside_the_range_are_refused() {
        let (heard, cancel) = (Heard::default(), Cancel::default());
        for threads in [0, MAX_THREADS + 1] {
            let result = JobServices::start(Some(threads), None, "toy", "cpu", &heard, &cancel);
            assert_eq!(result.err().unwrap().class, Class::InvalidArguments);
        }
    }
}
