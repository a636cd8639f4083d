//! The GGUF backend of llm-quantize.

pub mod container;
pub mod metadata;
pub mod mixture;
pub mod value;
pub mod vocab;
