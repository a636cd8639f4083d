//! The GGUF container, version 3, little endian: header bytes out, header bytes in, nothing about models.
//!
//! | where | what |
//! |---|---|
//! | `tensor` | one line of the tensor list, and its size |
//! | `encode` | [`fn@encode`]: key-values and tensor list to header bytes, with the place of every tensor |
//! | `cursor` | bounded reads from hostile bytes |
//! | `decode` | [`fn@decode`]: header bytes to key-values and tensor list, everything checked |
//! | `error` | what can be wrong |
//!
//! Deliberately absent: version 1 (32-bit counts), big-endian files, arrays of arrays. llama.cpp refuses the first and
//! the last as well; big-endian files exist only on s390x.

mod cursor;
mod decode;
mod encode;
mod error;
mod tensor;

pub use decode::{Header, decode};
pub use encode::{Encoded, encode};
pub use error::ContainerError;
pub use tensor::{StoredTensor, TensorInfo};

/// First four bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";

/// The version that is written; version 2 has the same layout and is read as well.
pub const VERSION: u32 = 3;

/// Alignment of tensor data where `general.alignment` is absent, in bytes.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 65_535;

/// Longest tensor name, in bytes: the reference keeps names in 64 bytes with a terminator.
pub const MAX_NAME_BYTES: usize = 63;

/// Most dimensions of a tensor.
pub const MAX_DIMENSIONS: usize = 4;

/// The key that overrides [`DEFAULT_ALIGNMENT`].
pub const ALIGNMENT_KEY: &str = "general.alignment";
