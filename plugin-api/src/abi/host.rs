//! What a plugin may ask of the host, and where it puts its results.

use super::PResult;
use abi_stable::{
    sabi_trait,
    sabi_types::RRef,
    std_types::{RSlice, RStr, RString},
};

/// One body of a parallel loop, called once per index from any thread.
#[sabi_trait]
pub trait Job: Send + Sync {
    /// Runs index `index`. Never unwinds: the SDK's implementation catches panics.
    #[sabi(last_prefix_field)]
    fn run(&self, index: u64);
}

/// A borrowed [`Job`].
pub type JobRef<'a> = Job_TO<'a, RRef<'a, ()>>;

/// Host services. A backend opens no file, starts no thread and prints nothing; it asks here.
#[sabi_trait]
pub trait Host: Send + Sync {
    /// Writes a log line. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    fn log(&self, level: u32, message: RStr<'_>);
    /// Tells how far the current call is, in weights. Cheap; any thread.
    fn progress(&self, done: u64, total: u64);
    /// Whether to stop. To be polled at least every 50 ms of work.
    fn cancelled(&self) -> bool;
    /// Threads that this call may keep busy.
    fn threads(&self) -> u32;
    /// Runs `job` for `0..count` on the host's pool and returns when all are done. Nesting is allowed; holding a lock
    /// across the call, or waiting for a pool of the plugin's own inside a job, is not (measured: it deadlocks).
    fn parallel_for(&self, count: u64, job: JobRef<'_>) -> PResult<()>;
    /// Asks for `bytes` of the memory budget; the token goes to `release`.
    fn reserve(&self, bytes: u64) -> PResult<u64>;
    /// Gives a reservation back.
    fn release(&self, token: u64);
    /// The device of this job: `cpu` or `cuda:N`.
    #[sabi(last_prefix_field)]
    fn device(&self) -> RString;
}

/// Borrowed host services.
pub type HostRef<'a> = Host_TO<'a, RRef<'a, ()>>;

/// Where results go. The host puts bytes at their final place in its own files.
#[sabi_trait]
pub trait Sink: Send + Sync {
    /// Writes `data` at byte `offset` of slot `slot` of the plan. Any order, any thread; ranges must not overlap.
    fn write(&self, slot: u32, offset: u64, data: RSlice<'_, u8>) -> PResult<()>;
    /// Hands back weights as the output will reproduce them: whole rows of source tensor `tensor` from `first_row`.
    /// The calibration forward continues with them where the level asks for it; otherwise they only enter the report.
    #[sabi(last_prefix_field)]
    fn feedback(&self, tensor: u32, first_row: u64, rows: RSlice<'_, f32>) -> PResult<()>;
}

/// A borrowed sink.
pub type SinkRef<'a> = Sink_TO<'a, RRef<'a, ()>>;
