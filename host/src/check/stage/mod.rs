//! A host in memory: services with a few threads, a source over a specimen, a destination that counts every byte.

mod destination;
mod performance;
mod services;
mod source;

pub use destination::Destination;
pub use performance::{Order, Performance, input, perform, request};
pub use services::Services;
pub use source::Source;
