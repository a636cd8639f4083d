//! What a host writes against: load a plugin, call it with plain Rust types, never see the ABI.
//!
//! The same types run a backend that is linked in ([`Backend::in_process`]), so authors test without a host; every
//! call still goes through the real boundary.

mod adapter;
mod backend;
mod load;
mod reader;
mod session;
mod statistics;

pub use adapter::{Destination, Services, Source, SourceTensor};
pub use backend::Backend;
pub use load::{LoadError, Loaded, load};
pub use reader::Reader;
pub use session::{Session, UnitInput};
pub use statistics::StatisticsFile;
