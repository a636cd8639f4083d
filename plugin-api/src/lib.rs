//! The stable interface between llm-quantize and its format backends.
pub mod wire;
