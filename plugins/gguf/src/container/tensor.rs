//! One line of the tensor list and the bytes it stands for.

use super::{ContainerError, MAX_DIMENSIONS, MAX_NAME_BYTES};
use llmq_ggml_blocks::BlockType;

/// A tensor as the list describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// GGUF name (`blk.0.attn_q.weight`), at most 63 bytes.
    pub name: String,
    /// Dimensions, innermost first: `[columns, rows, ...]`.
    pub ne: Vec<u64>,
    /// Encoding of its rows.
    pub encoding: BlockType,
}

/// A tensor with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// What it is.
    pub info: TensorInfo,
    /// First byte, from the start of the file.
    pub offset: u64,
    /// Length in bytes, without padding.
    pub bytes: u64,
}

impl TensorInfo {
    /// Length of one row.
    pub fn columns(&self) -> u64 {
        self.ne.first().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the innermost.
    pub fn rows(&self) -> u64 {
        self.ne.iter().skip(1).copied().fold(1, u64::saturating_mul)
    }

    /// Row-major shape, outermost first.
    pub fn row_major(&self) -> Vec<u64> {
        self.ne.iter().rev().copied().collect()
    }

    /// Checks name, dimensions and rows, and gives the exact size in bytes.
    pub fn checked_bytes(&self) -> Result<u64, ContainerError> {
        let name = || self.name.clone();
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            return Err(ContainerError::TensorName(name()));
        }
        if self.ne.is_empty() || self.ne.len() > MAX_DIMENSIONS {
            return Err(ContainerError::Dimensions { name: name(), count: self.ne.len() as u64 });
        }
        let shape = || ContainerError::Shape { name: name(), ne: self.ne.clone() };
        let elements = self.ne.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or_else(shape)?;
        if elements == 0 || elements > i64::MAX as u64 {
            return Err(shape());
        }
        let block = self.encoding.block_len();
        if !self.columns().is_multiple_of(block as u64) {
            let encoding = self.encoding.name();
            return Err(ContainerError::RaggedRows { name: name(), columns: self.columns(), encoding, block });
        }
        let bytes = (elements / block as u64).checked_mul(self.encoding.block_bytes() as u64);
        bytes.filter(|b| *b <= i64::MAX as u64).ok_or_else(shape)
    }
}
