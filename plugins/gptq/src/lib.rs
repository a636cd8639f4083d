//! The GPTQ backend of llm-quantize: linear layers as packed integers with scales per group, rounded so that the error at
//! the layer's output is least, in the folders that GPTQModel, transformers, vLLM, SGLang and ExLlama load.
//!
//! | where | what |
//! |---|---|
//! | `backend` | what the host talks to |
//! | `levels`, `option_specs` | what is on offer |
//! | `choices`, `dynamic` | what a request means, for the model and for single modules |
//! | `plan` | which matrices become what; where every byte goes is `llmq-safetensors-folders`' |
//! | `target` | what loaders refuse, told before any work |
//! | `session` | quantizing one unit |
//! | `packed` | matrices of codes, zeros and scales as the format stores them, both ways |
//! | `reader` | GPTQ folders back to Hugging Face's view |
#![forbid(unsafe_op_in_unsafe_fn)]

mod backend;
pub mod choices;
pub mod dynamic;
mod levels;
mod option_specs;
pub mod packed;
pub mod plan;
pub mod reader;
pub mod session;
pub mod target;

pub use backend::GptqBackend;

llmq_plugin_api::export_plugin! {
    id: "gptq",
    formats: ["gptq"],
    summary: "GPTQ folders: 2, 3, 4 and 8 bits with scales per group, for GPTQModel, transformers, vLLM and SGLang",
    backend: GptqBackend,
}
