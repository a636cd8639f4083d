//! Host services as an author sees them.

use super::{Error, panic};
use crate::abi;
use abi_stable::{sabi_trait::TD_Opaque, sabi_types::RRef};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error = 1,
    /// Something is odd.
    Warning = 2,
    /// A fact for everybody.
    Info = 3,
    /// A fact for the curious.
    Debug = 4,
    /// A fact for the author.
    Trace = 5,
}

/// What a backend may ask of the host during one call.
pub struct Context<'a> {
    raw: &'a (dyn abi::Host + 'a),
}

impl<'a> Context<'a> {
    pub(crate) fn from_abi(raw: &'a (dyn abi::Host + 'a)) -> Context<'a> {
        Context { raw }
    }

    /// Writes a log line.
    pub fn log(&self, level: LogLevel, message: &str) {
        self.raw.log(level as u32, message.into());
    }

    /// Tells how far the current call is, in weights.
    pub fn progress(&self, done: u64, total: u64) {
        self.raw.progress(done, total);
    }

    /// Fails with [`super::Kind::Cancelled`] once the host wants to stop. Call it at least every 50 ms of work.
    pub fn check(&self) -> Result<(), Error> {
        if self.raw.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Threads this call may keep busy.
    pub fn threads(&self) -> usize {
        self.raw.threads().max(1) as usize
    }

    /// The device of this job: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        self.raw.device().into_string()
    }

    /// Asks for `bytes` of the memory budget; given back when the reservation is dropped.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, Error> {
        let token = self.raw.reserve(bytes).into_result()?;
        Ok(Reservation { host: self.raw, token })
    }

    /// Runs `body(0..count)` on the host's threads.
    ///
    /// Stops early at the first error, at a panic, or when the host cancels; of several errors the one with the lowest
    /// index is returned. Nested calls are fine. Do not use a thread pool of your own inside `body`, and do not hold a
    /// lock across the call.
    pub fn parallel_for(&self, count: usize, body: impl Fn(usize) -> Result<(), Error> + Sync) -> Result<(), Error> {
        let job = LoopBody { body: &body, host: self, stop: AtomicBool::new(false), error: Mutex::new(None) };
        let borrowed = abi::Job_TO::from_ptr(RRef::new(&job), TD_Opaque);
        self.raw.parallel_for(count as u64, borrowed).into_result()?;
        match job.error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// A piece of the memory budget.
pub struct Reservation<'a> {
    host: &'a (dyn abi::Host + 'a),
    token: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.host.release(self.token);
    }
}

struct LoopBody<'b, F> {
    body: &'b F,
    host: &'b Context<'b>,
    stop: AtomicBool,
    error: Mutex<Option<(u64, Error)>>,
}

impl<F: Fn(usize) -> Result<(), Error> + Sync> abi::Job for LoopBody<'_, F> {
    fn run(&self, index: u64) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let result = panic::guard("a parallel loop", || {
            self.host.check()?;
            (self.body)(index as usize)
        });
        if let Err(error) = result {
            self.stop.store(true, Ordering::Relaxed);
            let mut first = self.error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if first.as_ref().is_none_or(|(at, _)| index < *at) {
                *first = Some((index, error));
            }
        }
    }
}
