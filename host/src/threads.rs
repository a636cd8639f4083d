//! Worker threads for what the host computes itself.

use crate::failure::{Class, Failure};
use crate::job::MAX_THREADS;

/// A pool of so many threads; as many as there are processors if not said.
pub fn pool(threads: Option<usize>) -> Result<rayon::ThreadPool, Failure> {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
    if !(1..=MAX_THREADS).contains(&threads) {
        let message = format!("{threads} threads were asked for; 1 to {MAX_THREADS} are possible");
        return Err(Failure::new(Class::InvalidArguments, message));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("worker-{index}"))
        .build()
        .map_err(|e| Failure::new(Class::General, format!("cannot start {threads} worker threads: {e}")))
}
