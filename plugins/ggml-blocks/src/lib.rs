//! ggml's block types, byte for byte as the reference writes them.
//!
//! Pure functions over slices: no files, threads or clocks. The reference is llama.cpp's ggml built for plain x86-64,
//! without fused multiply-add; the same bytes come out on every processor here.
//!
//! | where | what |
//! |---|---|
//! | `block_type` | ids, names and sizes of all ggml types |
//! | `rows` | [`quantize_rows`], [`dequantize_rows`]: sizes checked, then block by block |
//! | `validate` | [`validate_rows`]: scales that are not finite |
//! | `error_bound` | [`relative_error_bound`]: what a sound codec stays below |
//! | `types/` | one block layout per file |
//! | `fit/` | one scale search per file |
//! | `codebook` | the points of the IQ1, IQ2 and IQ3 types, and what is near |
//! | `dispatch` | one body of code per kernel, compiled for several kinds of processor, chosen at run time ([`Path`]) |
//! | `codecs`, `walk` | which codec belongs to which type, and how rows are cut for it |
//! | `lanes`, `round` | arithmetic of side-by-side groups; the reference's float-to-integer conversions |
#![deny(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "the groups of several arrays are walked side by side")]

mod block_type;
mod codebook;
mod codecs;
mod dispatch;
mod error;
mod error_bound;
mod fit;
mod lanes;
mod round;
mod rows;
mod types;
mod validate;
mod walk;

pub use block_type::BlockType;
pub use dispatch::Path;
pub use error::BlockError;
pub use error_bound::relative_error_bound;
pub use rows::{dequantize_rows, dequantize_rows_on, quantize_rows, quantize_rows_on};
pub use types::bf16::{bf16_to_f32, f32_to_bf16};
pub use types::f16::{f16_to_f32, f32_to_f16};
pub use validate::validate_rows;
