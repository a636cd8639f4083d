//! The stable interface between llm-quantize and its format backends, with a safe SDK for authors.
//!
//! **The host owns every file, every thread and every word on screen. A backend only computes.** It is handed views
//! and answers with numbers and bytes. From that, crash safety, resume, progress, memory limits and cancellation are
//! written once, in the host, and every backend gets them for nothing.
//!
//! Authors need [`sdk`] and [`wire`]: implement [`sdk::Backend`], call [`export_plugin!`], build a `cdylib` named
//! `llmq_<id>`. A complete backend of about 200 lines is in the repository under `examples/int8-plugin`.
//! Hosts need [`client`]. Nobody needs [`abi`]; it is public because the export macro expands to it.
#![allow(non_local_definitions)] // every #[sabi_trait] emits one on current compilers; the crate is otherwise clean

#[allow(missing_docs, clippy::undocumented_unsafe_blocks)] // generated vtables
pub mod abi;
pub mod client;
pub mod sdk;
pub mod wire;

#[doc(hidden)]
pub use abi_stable;

/// Version of this interface. Majors break, minors append.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");
