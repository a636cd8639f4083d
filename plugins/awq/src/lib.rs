//! The AWQ backend of llm-quantize: channels scaled where their inputs are strong, linear layers as packed 4-bit integers,
//! in the folders (GEMM layout) that AutoAWQ, GPTQModel, transformers, vLLM and SGLang load.
//!
//! | where | what |
//! |---|---|
//! | `backend` | what the host talks to |
//! | `levels`, `option_specs` | what is on offer |
//! | `choices` | what a request means |
//! | `plan` | which matrices become what; where every byte goes is `llmq-safetensors-folders`' |
//! | `target` | what loaders refuse, told before any work |
//! | `session` | by how much channels of one unit are scaled, and quantizing it once the host has folded that |
//! | `packed` | words of codes and zeros in the order of the format, both ways |
//! | `reader` | AWQ folders back to Hugging Face's view |
#![forbid(unsafe_op_in_unsafe_fn)]

mod backend;
pub mod choices;
mod levels;
mod option_specs;
pub mod packed;
pub mod plan;
pub mod reader;
pub mod session;
pub mod target;

pub use backend::AwqBackend;

llmq_plugin_api::export_plugin! {
    id: "awq",
    formats: ["awq"],
    summary: "AWQ folders: 4 bits with scales per group behind scaled channels, for vLLM, SGLang, transformers and GPTQModel",
    backend: AwqBackend,
}
