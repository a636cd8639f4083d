//! The GGUF backend of llm-quantize.
