//! An example backend for llm-quantize: per-row int8 weights with one f32 scale per row, in a safetensors folder.
//!
//! Read it in this order: [`row`] is the method, pure numbers; [`layout`] says where everything goes; [`session`]
//! quantizes one unit; [`container`] reads hostile bytes; [`reader`] gives the model back; [`backend`] ties it together.
#![forbid(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

pub mod backend;
pub mod container;
pub mod layout;
pub mod reader;
pub mod row;
pub mod session;

llmq_plugin_api::export_plugin! {
    id: "int8",
    formats: ["int8"],
    summary: "Per-row symmetric int8 in a safetensors folder",
    backend: backend::Int8,
}
