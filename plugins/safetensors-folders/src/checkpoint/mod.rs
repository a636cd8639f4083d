//! safetensors headers, both ways.

mod dtype;
mod parse;
mod write;

pub use dtype::Dtype;
pub use parse::{Stored, parse};
pub use write::header;

/// The only file of weights of a model that is not sharded.
pub const SINGLE: &str = "model.safetensors";
/// Which shard holds which tensor.
pub const INDEX: &str = "model.safetensors.index.json";
