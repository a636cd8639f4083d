//! What the whole-tool tests share: fresh folders, the built binary, tiny models, outside judges.

pub mod drift;
pub mod example_plugin;
pub mod gguf_file;
pub mod golden;
pub mod hub;
pub mod judge;
pub mod killed;
pub mod loopback;
pub mod made_up;
pub mod program;
pub mod repository;
pub mod synthetic;
pub mod workdir;

pub use program::{Outcome, Program};
pub use workdir::Workdir;
