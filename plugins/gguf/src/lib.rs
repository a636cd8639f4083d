//! The GGUF backend of llm-quantize.

pub mod value;
