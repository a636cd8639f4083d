//! Reading a local Hugging Face model folder: config.json, weights and side files become one checked [`Model`].
//!
//! Everything in the folder is taken as hostile until checked: lengths before allocation, offsets before use, names
//! before they become paths. What cannot be mapped to a role is an error, never dropped in silence.

pub mod config;
mod dtype;
mod error;
mod failure;
pub mod family;
mod fingerprint;
mod finite;
mod folder;
mod mapping;
mod name;
mod safetensors_files;
mod safetensors_header;
mod side_files;
mod source;
mod tied_head;

pub use dtype::{Dtype, torch_dtype};
pub use error::{ModelError, ModelErrorKind};
pub use fingerprint::Fingerprint;
pub use finite::first_non_finite;
pub use mapping::{MappedFile, map_file};
pub use safetensors_files::{INDEX as WEIGHT_INDEX, weight_names};
pub use safetensors_header::{MAX_HEADER, StoredTensor, read_header};
pub use side_files::is_side_file;
pub use source::{Model, NonFinite, TensorData};
