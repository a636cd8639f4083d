//! The tensors of the output, in model order: four of each quantized matrix, copies of everything else.

use super::Linear;
use crate::checkpoint::Dtype;
use llmq_linear_grids::packing;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::TensorDescription;

/// What becomes of tensors that are not quantized. Dtypes that files share with the source stay; 64-bit floats become 32-bit
/// ones, and everything smaller that the host decodes (8-bit floats and packed weights) fits bfloat16.
pub const PLAIN: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

/// One tensor of the output.
#[derive(Debug)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// Its stored type.
    pub dtype: Dtype,
    /// Its stored shape.
    pub shape: Vec<u64>,
    /// Its bytes.
    pub bytes: u64,
    /// The weights in it, as a shape: companions of packed codes hold none.
    pub weights: Vec<u64>,
    /// Encoding as reports show it.
    pub encoding: String,
}

fn piece(name: String, dtype: Dtype, shape: Vec<u64>, weights: Vec<u64>, encoding: String) -> Result<Piece, Error> {
    let bytes = shape.iter().try_fold(dtype.bytes(), |bytes: u64, dimension| bytes.checked_mul(*dimension));
    let bytes = bytes.ok_or_else(|| {
        Error::new(Kind::UnsupportedModel, format!("tensor `{name}` of shape {shape:?} is too large")).subject(&name)
    })?;
    Ok(Piece { name, dtype, shape, bytes, weights, encoding })
}

/// qweight, qzeros, scales and g_idx of a matrix.
pub fn packed(linear: &Linear) -> Result<[Piece; 4], Error> {
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
    qweight.weights = vec![rows, columns];
    qweight.encoding = linear.encoding();
    Ok([
        qweight,
        of("qzeros", Dtype::I32, vec![groups, words(linear.rows)?])?,
        of("scales", Dtype::F16, vec![groups, rows])?,
        of("g_idx", Dtype::I32, vec![columns])?,
    ])
}

/// A tensor as it is.
pub fn plain(tensor: &TensorDescription) -> Result<Piece, Error> {
    let kept = PLAIN.into_iter().find(|dtype| dtype.word() == tensor.dtype);
    let dtype = kept.unwrap_or(if tensor.dtype == "F64" { Dtype::F32 } else { Dtype::Bf16 });
    piece(tensor.name.clone(), dtype, tensor.shape.clone(), tensor.shape.clone(), dtype.word().into())
}
