//! What every session does beside its own work: plain copies, reading finite weights, progress on lent
//! threads, matrices put together by the input they share.

mod grams;
mod plain;
mod progress;
mod threads;
pub mod weights;
mod why;

pub use grams::{Shared, by_gram, gram_values};
pub use plain::copy;
pub use progress::Progress;
pub use threads::Threads;
pub use why::Why;
