//! The binary contract: what crosses between a host and a plugin built by different compilers at different times.
//!
//! Nobody but this crate writes against these types. Authors implement the traits of [`crate::sdk`], the host calls
//! [`crate::client`]; both hide everything below. Rules that keep 1.x compatible for ever, enforced by the committed
//! layout print (`tests/layout.rs`) and by `tests/abi_drift.rs` of the workspace:
//!
//! * words that may gain values are transparent integers, never `enum`;
//! * plain structs are frozen; what they may need later goes into their `ext` field (JSON) or into a new method;
//! * trait methods and root fields are appended at the end only, each new method with a default body;
//! * no generics, no `cfg`, no std types, nothing that unwinds;
//! * bulk bytes go into buffers that the receiver of the call lends, never into returned vectors.

mod backend;
mod error;
mod host;
mod model;
mod root;
mod statistics;
mod tensor;

pub use backend::{
    Backend, Backend_TO, BackendBox, FileView, Reader, Reader_TO, ReaderBox, Session, Session_TO, SessionBox,
};
pub use error::{ErrorKind, PResult, PluginError};
pub use host::{Host, Host_TO, HostRef, Job, Job_TO, JobRef, Sink, Sink_TO, SinkRef};
pub use model::{Model, Model_TO, ModelRef};
pub use root::{PluginRoot, PluginRootRef};
pub use statistics::{StatisticsFile, StatisticsFile_TO, StatisticsFileBox};
pub use tensor::{DType, StatKind, StatView, TensorView, UnitView};
