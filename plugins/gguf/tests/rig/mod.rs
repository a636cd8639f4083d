//! A host in memory: enough of model reading, threads and files to drive the backend through the real boundary.
//!
//! Each test file uses its own part of it.
#![allow(dead_code, unused_imports, clippy::print_stderr)]

mod folder;
pub mod golden;
mod host;
pub mod models;
mod run;
mod safetensors;

pub use folder::Folder;
pub use host::{Host, Memory};
pub use run::{Job, Output};
pub use safetensors::Stored;

use std::path::PathBuf;

/// The folder with the large reference data, or `None` with a line that says what is skipped.
pub fn shared(what: &str) -> Option<PathBuf> {
    let path = std::env::var_os("LLMQ_SHARED").map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: {what}: set LLMQ_SHARED to the folder with the reference data");
    }
    path
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
