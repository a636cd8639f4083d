//! The GGUF backend of llm-quantize: a Hugging Face model goes in, the file that llama.cpp's converter and
//! llama-quantize would have made in two steps comes out in one.
//!
//! | where | what |
//! |---|---|
//! | `backend` | what the host talks to |
//! | `levels` | the levels on offer |
//! | `session` | planning and quantizing |
//! | `reader` | GGUF files back to Hugging Face's view |
//! | `container` | the file format, without models |
//! | `imatrix` | importance matrices in both forms |
//! | `mixture` | which encoding each tensor gets |
//! | `arch` | names, keys and row orders of model architectures |
//! | `metadata`, `vocab` | `general.*` and `tokenizer.*` keys |
//! | `value` | what a key may hold |
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod arch;
mod backend;
pub mod container;
pub mod imatrix;
mod levels;
pub mod metadata;
pub mod mixture;
mod nearest;
mod reader;
mod session;
pub mod value;
pub mod vocab;

pub use backend::GgufBackend;

llmq_plugin_api::export_plugin! {
    id: "gguf",
    formats: ["gguf"],
    summary: "GGUF files for llama.cpp, byte for byte as its own tools write them",
    backend: GgufBackend,
}
