//! Whole rows through the block codecs: sizes are checked here, so that the codecs see whole blocks only.

use crate::codecs;
use crate::dispatch::Path;
use crate::walk::{Job, Stored};
use crate::{BlockError, BlockType};

/// Quantizes whole rows of `cols` weights into `dst`.
///
/// `importance`, when given, holds one weight per column (an importance matrix's mean squared activation) and is used
/// for every row; F32, F16, BF16, Q8_0, Q1_0, Q2_0, TQ1_0, TQ2_0, MXFP4 and NVFP4 ignore it, as the reference does. Bytes equal the reference's for finite
/// weights and finite, non-negative importance.
///
/// NaN and infinity never panic, but what is written for them is unspecified (always the same for the same input).
/// Some types turn a block of NaN into zeros, as the reference does, so look at the source: finding out afterwards with
/// [`validate_rows`](crate::validate_rows) only catches scales that became NaN or too large for half precision.
///
/// # Errors
/// When a size does not fit the others, or this crate cannot write `ty`.
pub fn quantize_rows(
    ty: BlockType,
    src: &[f32],
    cols: usize,
    importance: Option<&[f32]>,
    dst: &mut [u8],
) -> Result<(), BlockError> {
    quantize_rows_on(Path::chosen(), ty, src, cols, importance, dst)
}

/// [`quantize_rows`] on a given path, for tests and measurements: all paths give the same bytes.
///
/// # Errors
/// As [`quantize_rows`]; and when this processor lacks the path.
pub fn quantize_rows_on(
    path: Path,
    ty: BlockType,
    src: &[f32],
    cols: usize,
    importance: Option<&[f32]>,
    dst: &mut [u8],
) -> Result<(), BlockError> {
    check_path(path)?;
    if !ty.can_quantize() {
        return Err(BlockError::CannotQuantize(ty));
    }
    check_sizes(ty, src.len(), cols, dst.len())?;
    if let Some(importance) = importance.filter(|importance| importance.len() != cols) {
        return Err(BlockError::ImportanceLength { cols, have: importance.len() });
    }
    if cols == 0 {
        return Ok(());
    }
    if ty.needs_importance() && importance.is_none() {
        return Err(BlockError::ImportanceNeeded(ty));
    }
    let found = codecs::quantize(ty, path, Job { src, cols, importance, dst });
    if found { Ok(()) } else { Err(BlockError::CannotQuantize(ty)) }
}

/// Dequantizes whole rows of `cols` weights into `dst`, with the reference's float operations.
///
/// Any bytes are accepted; scales that are not finite give weights that are not finite.
///
/// # Errors
/// When a size does not fit the others, or this crate cannot read `ty`.
pub fn dequantize_rows(ty: BlockType, src: &[u8], cols: usize, dst: &mut [f32]) -> Result<(), BlockError> {
    dequantize_rows_on(Path::chosen(), ty, src, cols, dst)
}

/// [`dequantize_rows`] on a given path, for tests and measurements: all paths give the same weights.
///
/// # Errors
/// As [`dequantize_rows`]; and when this processor lacks the path.
pub fn dequantize_rows_on(
    path: Path,
    ty: BlockType,
    src: &[u8],
    cols: usize,
    dst: &mut [f32],
) -> Result<(), BlockError> {
    check_path(path)?;
    if !ty.can_dequantize() {
        return Err(BlockError::CannotDequantize(ty));
    }
    check_sizes(ty, dst.len(), cols, src.len())?;
    let found = codecs::dequantize(ty, path, Stored { src, dst });
    if found { Ok(()) } else { Err(BlockError::CannotDequantize(ty)) }
}

fn check_path(path: Path) -> Result<(), BlockError> {
    if path.is_available() { Ok(()) } else { Err(BlockError::PathMissing(path)) }
}

/// `weights` must be whole rows of `cols`, and `bytes` exactly their stored size.
fn check_sizes(ty: BlockType, weights: usize, cols: usize, bytes: usize) -> Result<(), BlockError> {
    let per_row = ty.row_bytes(cols as u64)?;
    let rows = match weights.checked_rem(cols) {
        Some(0) => weights / cols,
        None if weights == 0 => 0,
        _ => return Err(BlockError::PartialRow { len: weights, cols }),
    };
    let want = (rows as u64).checked_mul(per_row).and_then(|bytes| usize::try_from(bytes).ok());
    match want {
        None => Err(BlockError::Overflow { ty, count: weights as u64 }),
        Some(want) if want != bytes => Err(BlockError::ByteLength { ty, want, have: bytes }),
        Some(_) => Ok(()),
    }
}
