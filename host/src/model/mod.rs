//! Reading a local Hugging Face model folder: config.json, weights and side files become one checked [`Model`].
//!
//! Everything in the folder is taken as hostile until checked: lengths before allocation, offsets before use, names
//! before they become paths. What cannot be mapped to a role is an error, never dropped in silence.

pub mod config;
mod content;
mod describe;
mod dtype;
mod error;
mod failure;
pub mod family;
mod fingerprint;
mod finite;
mod float8;
mod folder;
mod mapping;
mod mxfp4;
mod name;
mod quantized;
mod safetensors_header;
mod side_files;
mod source;
mod sources;
mod stored;
mod ternary;
mod tied_head;
mod torch;
mod unstack;
mod weight_files;
mod weight_names;

pub use describe::{Listed, describe};
pub use dtype::{Dtype, torch_dtype};
pub use error::{ModelError, ModelErrorKind};
pub use fingerprint::Fingerprint;
pub use finite::first_non_finite;
pub use mapping::{MappedFile, map_file};
pub use safetensors_header::{MAX_HEADER, read_header};
pub use side_files::is_side_file;
pub use source::{Model, NonFinite, TensorData};
pub use stored::StoredTensor;
pub use torch::read_torch;
pub use weight_names::{Container, WeightNames, weight_index, weight_names};
