//! The tensors that a quantized matrix becomes.

use super::Linear;
use crate::packed::WORD;
use llmq_plugin_api::sdk::Error;
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::pieces::{Piece, piece};

/// Slots of a quantized matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Codes.
    pub qweight: usize,
    /// Zeros.
    pub qzeros: usize,
    /// Scales.
    pub scales: usize,
}

impl From<usize> for Packed {
    /// The slots in the order of [`packed`], from the first on.
    fn from(first: usize) -> Packed {
        Packed { qweight: first, qzeros: first + 1, scales: first + 2 }
    }
}

/// qweight, qzeros and scales of a matrix whose outputs fill whole words.
pub fn packed(linear: &Linear) -> Result<Vec<Piece>, Error> {
    let (rows, columns, groups) = (linear.rows as u64, linear.columns as u64, linear.groups as u64);
    let words = rows / WORD as u64;
    let of = |part: &str, dtype: Dtype, shape: Vec<u64>| {
        piece(format!("{}.{part}", linear.module), dtype, shape, vec![0], dtype.word().into())
    };
    let mut qweight = of("qweight", Dtype::I32, vec![columns, words])?;
    qweight.weights = linear.stored().to_vec();
    qweight.encoding = linear.encoding();
    Ok(vec![qweight, of("qzeros", Dtype::I32, vec![groups, words])?, of("scales", Dtype::F16, vec![groups, rows])?])
}
