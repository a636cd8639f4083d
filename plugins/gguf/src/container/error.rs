//! What can be wrong with a GGUF header, as sentences with numbers.

use crate::container::{MAX_DIMENSIONS, MAX_KEY_BYTES, MAX_NAME_BYTES, VERSION};

/// Why a header was refused, on the way in or out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// The first four bytes are not `GGUF`.
    #[error("the file does not start with `GGUF`; it is no GGUF file")]
    Magic,
    /// A version other than 2 and 3.
    #[error("the file has GGUF version {0}; versions 2 and {VERSION} are read")]
    Version(u32),
    /// The version number is byte-swapped.
    #[error("the file is a big-endian GGUF; convert it to little endian with the tool that wrote it")]
    BigEndian,
    /// The file ends inside the header, or a count claims more than the file holds.
    #[error(
        "the header claims {wanted} bytes for {what} at byte {at}, the file has {left} left; it is cut off or damaged"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Position in the file.
        at: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// A key that is empty, too long or not UTF-8.
    #[error("the key at byte {at} is not a name of 1 to {MAX_KEY_BYTES} bytes of UTF-8")]
    Key {
        /// Position in the file.
        at: u64,
    },
    /// The same key twice.
    #[error("the key `{0}` appears twice")]
    DuplicateKey(String),
    /// A value type that does not exist, or an array of arrays.
    #[error("the key `{key}` has value type {id}, which {where_} cannot hold")]
    ValueType {
        /// The key.
        key: String,
        /// The number found.
        id: u32,
        /// `a key` or `an array`.
        where_: &'static str,
    },
    /// A bool that is neither 0 nor 1.
    #[error("the key `{key}` holds {byte} where a bool (0 or 1) must be")]
    Bool {
        /// The key.
        key: String,
        /// The byte found.
        byte: u8,
    },
    /// `general.alignment` is no power of two or is absurd.
    #[error("`general.alignment` is {0}; it must be a power of two from 1 to 1048576, stored as a 32-bit number")]
    Alignment(String),
    /// A tensor name that is empty, too long or not UTF-8.
    #[error("the tensor name `{0}` is not a name of 1 to {MAX_NAME_BYTES} bytes of UTF-8")]
    TensorName(String),
    /// The same tensor twice.
    #[error("the tensor `{0}` appears twice")]
    DuplicateTensor(String),
    /// A number of dimensions outside 1 to 4.
    #[error("the tensor `{name}` has {count} dimensions; 1 to {MAX_DIMENSIONS} are possible")]
    Dimensions {
        /// The tensor.
        name: String,
        /// Dimensions found.
        count: u64,
    },
    /// A zero dimension, or a size that does not fit 63 bits.
    #[error("the tensor `{name}` has the shape {ne:?}, which is empty or too large to address")]
    Shape {
        /// The tensor.
        name: String,
        /// Dimensions, innermost first.
        ne: Vec<u64>,
    },
    /// A tensor type that no known version of the format has.
    #[error("the tensor `{name}` has type number {id}, which is unknown; a newer version of this plugin may read it")]
    TensorType {
        /// The tensor.
        name: String,
        /// The number found.
        id: u32,
    },
    /// Rows that are not whole blocks.
    #[error("the tensor `{name}` has rows of {columns}, which are no whole {encoding} blocks of {block}")]
    RaggedRows {
        /// The tensor.
        name: String,
        /// Length of a row.
        columns: u64,
        /// Encoding.
        encoding: &'static str,
        /// Weights per block.
        block: usize,
    },
    /// An offset that is not where the tensor list puts the tensor.
    #[error("the tensor `{name}` is at offset {found} of the data, the tensors before it end at {expected}")]
    Offset {
        /// The tensor.
        name: String,
        /// Offset in the file.
        found: u64,
        /// Offset by the sizes of the tensors before.
        expected: u64,
    },
    /// Tensor data beyond the end of the file.
    #[error("the tensor `{name}` ends at byte {end}, the file has {length}; it is cut off")]
    CutOff {
        /// The tensor.
        name: String,
        /// One past its last byte.
        end: u64,
        /// Length of the file.
        length: u64,
    },
}
