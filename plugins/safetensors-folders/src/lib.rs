//! Folders of safetensors as backends write and read them: what a format with packed linear layers need not say itself.
//!
//! Shared by backends whose output is a Hugging Face folder in which each quantized matrix is replaced by a few tensors and
//! everything else stays. It knows the plugin interface and no format: which tensors a matrix becomes, what they hold and
//! what config files say about it is the backend's.
//!
//! | where | what |
//! |---|---|
//! | `checkpoint` | safetensors headers, both ways |
//! | `pieces`, `files` | tensors of the output, and where every byte of it goes |
//! | `select` | which source tensors are matrices that can be quantized |
//! | `config` | config.json and the files that are carried along |
//! | `offered` | matrices whose inputs nobody saw |
//! | `given` | options of a request by type |
//! | `transformers` | what transformers does with packed matrices |
//! | `work` | plain copies, finite weights, progress, the host's threads |
//! | `reading` | stored tensors of a folder, and rows of those that are plain |
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod config;
pub mod files;
pub mod given;
pub mod offered;
pub mod pieces;
pub mod reading;
pub mod select;
pub mod transformers;
pub mod work;
