//! The tensors of an output: copies of what is not quantized, and whatever a format makes of a matrix.

use crate::checkpoint::Dtype;
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

/// A tensor of the output; refused if its size cannot be counted.
pub fn piece(name: String, dtype: Dtype, shape: Vec<u64>, weights: Vec<u64>, encoding: String) -> Result<Piece, Error> {
    let bytes = shape.iter().try_fold(dtype.bytes(), |bytes: u64, dimension| bytes.checked_mul(*dimension));
    let bytes = bytes.ok_or_else(|| {
        Error::new(Kind::UnsupportedModel, format!("tensor `{name}` of shape {shape:?} is too large")).subject(&name)
    })?;
    Ok(Piece { name, dtype, shape, bytes, weights, encoding })
}

/// A tensor as it is.
pub fn plain(tensor: &TensorDescription) -> Result<Piece, Error> {
    let kept = PLAIN.into_iter().find(|dtype| dtype.word() == tensor.dtype);
    let dtype = kept.unwrap_or(if tensor.dtype == "F64" { Dtype::F32 } else { Dtype::Bf16 });
    piece(tensor.name.clone(), dtype, tensor.shape.clone(), tensor.shape.clone(), dtype.word().into())
}
