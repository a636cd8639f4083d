//! One tensor as its weight file declares it, whatever the file's format is.

use safetensors::Dtype;
use std::ops::Range;

/// Longest tensor name accepted, in bytes.
pub const MAX_NAME: usize = 512;
/// Most dimensions accepted.
pub const MAX_DIMENSIONS: usize = 8;
/// Most tensors accepted in one file.
pub const MAX_TENSORS: usize = 1 << 20;

/// One tensor as its file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// Name in the file.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Row-major shape.
    pub shape: Vec<u64>,
    /// Place of its bytes, counted from the start of the file, inside the file. With strides: from the first element
    /// to the end of the last.
    pub range: Range<usize>,
    /// Distance of neighbours along each dimension, in elements, where that is not the row-major one.
    pub strides: Option<Vec<u64>>,
}

/// Whether a name is one that a tensor may have.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}
