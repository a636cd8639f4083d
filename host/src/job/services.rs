//! What a backend gets from the host while it works: threads, memory budget, progress, log, the wish to stop.

use super::budget::Budget;
use crate::cancel::Cancel;
use crate::event::{Event, Observer};
use crate::failure::{Class, Failure};
use llmq_plugin_api::{client, sdk};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Weights finished: those of whole units, and a share of the unit at work.
#[derive(Default)]
struct Progress {
    finished: AtomicU64,
    unit: AtomicU64,
    shown: AtomicU64,
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
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
        if !(1..=MAX_THREADS).contains(&threads) {
            let message = format!("{threads} threads were asked for; 1 to {MAX_THREADS} are possible");
            return Err(Failure::new(Class::InvalidArguments, message));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|e| Failure::new(Class::General, format!("cannot start {threads} worker threads: {e}")))?;
        Ok(JobServices {
            pool,
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

    /// The unit now at work has this many weights.
    pub fn unit_begins(&self, weights: u64) {
        self.progress.unit.store(weights, Ordering::Relaxed);
    }

    /// The unit at work is finished.
    pub fn unit_ends(&self) {
        let weights = self.progress.unit.swap(0, Ordering::Relaxed);
        self.progress.finished.fetch_add(weights, Ordering::Relaxed);
        self.show(0);
    }

    fn show(&self, of_unit: u64) {
        let weights = self.progress.finished.load(Ordering::Relaxed).saturating_add(of_unit);
        // Threads report out of order; a bar that steps back would look broken.
        if self.progress.shown.fetch_max(weights, Ordering::Relaxed) < weights {
            self.tell(Event::Progress { weights });
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

    fn progress(&self, done: u64, total: u64) {
        let unit = self.progress.unit.load(Ordering::Relaxed);
        // The backend's own total may count other things than ours; only the share is taken from it.
        let share = u128::from(unit) * u128::from(done.min(total)) / u128::from(total.max(1));
        self.show(share as u64);
    }

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
    fn progress_is_a_share_of_the_unit_and_never_steps_back() {
        let (heard, cancel) = (Heard::default(), Cancel::default());
        let services = JobServices::start(Some(2), None, "toy", "cpu", &heard, &cancel).unwrap();
        services.unit_begins(100);
        services.progress(5, 10);
        services.progress(3, 10);
        services.progress(7, 0);
        services.unit_ends();
        services.unit_begins(10);
        services.progress(u64::MAX, u64::MAX);
        let seen = heard.0.lock().unwrap().clone();
        assert_eq!(seen, [50, 100, 110].map(|weights| Event::Progress { weights }));
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
