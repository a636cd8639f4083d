//! The GGUF backend of llm-quantize.

pub mod container;
pub mod mixture;
pub mod value;
