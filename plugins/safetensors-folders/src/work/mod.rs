//! What every session does beside its own work: plain copies, reading finite weights, progress on lent threads.

mod plain;
mod progress;
mod threads;
pub mod weights;

pub use plain::copy;
pub use progress::Progress;
pub use threads::Threads;
