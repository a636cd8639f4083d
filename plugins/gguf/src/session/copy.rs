//! Tensors that keep their encoding: their bytes, once they are known to be finite numbers.

use super::GgufSession;
use llmq_ggml_blocks::{BlockError, BlockType, validate_rows};
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Tensor};

/// Bytes that are looked at and written together, unless a single block has more.
const PIECE: usize = 1 << 20;

/// Writes a tensor as it is stored. Its weights must be finite numbers, as those that are encoded.
pub(super) fn copy(
    session: &GgufSession,
    cx: &Context,
    slot: usize,
    tensor: &Tensor,
    out: &Output,
) -> Result<(), Error> {
    let planned = &session.plan.slots[slot];
    let (bytes, wanted) = (tensor.stored(), planned.bytes);
    let Some(encoding) = BlockType::from_name(&planned.encoding).filter(|_| bytes.len() as u64 == wanted) else {
        let (name, encoding) = (tensor.name, &planned.encoding);
        let message = format!("the tensor `{name}` has {} bytes, the plan {wanted} of {encoding}", bytes.len());
        return Err(Error::new(Kind::CorruptInput, message).subject(name));
    };
    let blocks = (PIECE / encoding.block_bytes()).max(1);
    let step = blocks * encoding.block_bytes();
    let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
    cx.parallel_for(pieces.len(), |piece| {
        check_finite(tensor, encoding, piece * blocks, pieces[piece])?;
        out.write(slot, (piece * step) as u64, pieces[piece])
    })
}

/// Fails if a stored block, the first of which has the number `first`, has a weight or scale that is no finite number.
fn check_finite(tensor: &Tensor, encoding: BlockType, first: usize, bytes: &[u8]) -> Result<(), Error> {
    let name = tensor.name;
    match validate_rows(encoding, bytes) {
        Ok(()) => Ok(()),
        Err(BlockError::CannotDequantize(plain)) if is_number(plain) => Ok(()),
        Err(BlockError::NotFinite { block, field, .. }) => {
            let (at, columns) = ((first + block) * encoding.block_len(), tensor.columns().max(1));
            let (row, column) = (at / columns, at % columns);
            let message = format!("the {field} at row {row}, column {column} of `{name}` is not a finite number");
            let hint = "the model is damaged or was saved after diverging; get another copy";
            Err(Error::new(Kind::CorruptInput, message).subject(name).hint(hint))
        }
        Err(other) => Err(Error::new(Kind::CorruptInput, format!("`{name}`: {other}")).subject(name)),
    }
}

/// Plain numbers that no level touches: integers are finite, and doubles are no weights.
fn is_number(encoding: BlockType) -> bool {
    use BlockType::{F64, I8, I16, I32, I64};
    matches!(encoding, I8 | I16 | I32 | I64 | F64)
}
