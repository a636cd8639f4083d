//! The tensors that a quantized matrix becomes.

use super::Linear;
use llmq_linear_grids::packing;
use llmq_plugin_api::sdk::{Error, Kind};
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
    /// Groups of the inputs.
    pub g_idx: usize,
}

impl From<usize> for Packed {
    /// The slots in the order of [`packed`], from the first on.
    fn from(first: usize) -> Packed {
        Packed { qweight: first, qzeros: first + 1, scales: first + 2, g_idx: first + 3 }
    }
}

/// qweight, qzeros, scales and g_idx of a matrix.
pub fn packed(linear: &Linear) -> Result<Vec<Piece>, Error> {
    let words = |count: usize| {
        let unfit = || {
            let message = format!("{count} codes of tensor `{}` do not fill whole words", linear.name);
            Error::new(Kind::UnsupportedModel, message).subject(&linear.name)
        };
        packing::words(count, linear.settings.bits).map(|words| words as u64).ok_or_else(unfit)
    };
    let (rows, columns, groups) = (linear.rows as u64, linear.columns as u64, linear.groups as u64);
    let of = |part: &str, dtype: Dtype, shape: Vec<u64>| {
        piece(format!("{}.{part}", linear.module), dtype, shape, vec![0], dtype.word().into())
    };
    let mut qweight = of("qweight", Dtype::I32, vec![words(linear.columns)?, rows])?;
    qweight.weights = linear.stored().to_vec();
    qweight.encoding = linear.encoding();
    Ok(vec![
        qweight,
        of("qzeros", Dtype::I32, vec![groups, words(linear.rows)?])?,
        of("scales", Dtype::F16, vec![groups, rows])?,
        of("g_idx", Dtype::I32, vec![columns])?,
    ])
}
