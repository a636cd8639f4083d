//! The largest anonymous and mapped memory during a stretch of work, found by looking often.

use super::{Usage, usage};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two looks. One look reads a page of text from the kernel, about 30 microseconds.
const INTERVAL: Duration = Duration::from_millis(20);

/// Largest values seen, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Largest anonymous memory.
    pub anonymous: u64,
    /// Largest file-mapped memory.
    pub mapped: u64,
    /// Largest total since the process began, as the kernel counts it.
    pub resident: u64,
}

struct Shared {
    source: Box<dyn Fn() -> Usage + Send + Sync>,
    anonymous: AtomicU64,
    mapped: AtomicU64,
    stop: Mutex<bool>,
    wake: Condvar,
}

impl Shared {
    fn look(&self) -> Usage {
        let now = (self.source)();
        self.anonymous.fetch_max(now.anonymous, Ordering::Relaxed);
        self.mapped.fetch_max(now.mapped, Ordering::Relaxed);
        now
    }
}

/// A thread that looks until it is dropped. The kernel keeps a peak of the total only, so the split is sampled:
/// a spike shorter than the interval can be missed.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins to look. If no thread can be started, only [`Sampler::peaks`] itself looks.
    pub fn start() -> Sampler {
        Sampler::of(usage)
    }

    fn of(source: impl Fn() -> Usage + Send + Sync + 'static) -> Sampler {
        let shared = Arc::new(Shared {
            source: Box::new(source),
            anonymous: AtomicU64::new(0),
            mapped: AtomicU64::new(0),
            stop: Mutex::new(false),
            wake: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let work = move || {
            let mut stop = theirs.stop.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            while !*stop {
                theirs.look();
                let waited = theirs.wake.wait_timeout(stop, INTERVAL);
                stop = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            }
        };
        Sampler { thread: std::thread::Builder::new().name("memory".into()).spawn(work).ok(), shared }
    }

    /// The largest values so far, this moment included.
    pub fn peaks(&self) -> Peaks {
        let now = self.shared.look();
        Peaks {
            anonymous: self.shared.anonymous.load(Ordering::Relaxed),
            mapped: self.shared.mapped.load(Ordering::Relaxed),
            resident: now.peak_resident,
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        *self.shared.stop.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Looks at a made-up process: what other tests allocate and free meanwhile must not count.
    #[test]
    fn a_spike_between_two_questions_is_seen() {
        let looks = AtomicU64::new(0);
        let (told, heard) = mpsc::channel();
        let told = Mutex::new(told);
        let sampler = Sampler::of(move || {
            let look = looks.fetch_add(1, Ordering::Relaxed);
            let _ = told.lock().unwrap().send(look);
            let anonymous = if look == 1 { 64 << 20 } else { 1 << 20 };
            Usage { anonymous, mapped: 4096 * (look + 1), ..Usage::default() }
        });
        while heard.recv_timeout(Duration::from_secs(60)).expect("the thread looks") < 3 {}
        let peaks = sampler.peaks();
        assert_eq!(peaks.anonymous, 64 << 20);
        assert!(peaks.mapped >= 4 * 4096);
    }
}
