//! The `llm-quantize` binary.
fn main() {}
