//! Scales folded into a model: what they do to its tensors and statistics, and whether it still computes the same.
//!
//! A backend says by how much channels are scaled ([`llmq_plugin_api::wire::Folds`]); everything else is here, so that it is
//! right or wrong for all backends at once. Nothing is copied: rows are scaled as they are read ([`Folded`]), in single
//! precision, as a plugin reads them.

mod changes;
mod equivalence;
mod fault;
mod folded;
mod statistics;

pub use changes::Changes;
pub use equivalence::{ALLOWED, Outcome, bytes as comparison_bytes};
pub use fault::fault;
pub use folded::Folded;
