//! Whole rows through the block codecs: sizes are checked here, so that the codecs see whole blocks only.

use crate::types::f32 as single;
use crate::types::{
    SUPER, bf16, f16, iq1_m, iq1_s, iq2_s, iq2_xs, iq2_xxs, iq3_s, iq3_xxs, iq4_nl, iq4_xs, mxfp4, nvfp4, q1_0, q2_0,
    q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1,
};
use crate::types::{q5_k, q6_k, q8_0, tq1_0, tq2_0};
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
    match ty {
        BlockType::F32 => blocks(src, dst, |&[x], out| *out = single::encode(x)),
        BlockType::F16 => blocks(src, dst, |&[x], out| *out = f16::encode(x)),
        BlockType::BF16 => blocks(src, dst, |&[x], out| *out = bf16::encode(x)),
        BlockType::Q8_0 => blocks(src, dst, q8_0::encode),
        BlockType::Q4_0 => short(src, cols, importance, dst, q4_0::encode, q4_0::encode_row_weighted),
        BlockType::Q4_1 => short(src, cols, importance, dst, q4_1::encode, q4_1::encode_row_weighted),
        BlockType::Q5_0 => short(src, cols, importance, dst, q5_0::encode, q5_0::encode_row_weighted),
        BlockType::Q5_1 => short(src, cols, importance, dst, q5_1::encode, q5_1::encode_row_weighted),
        BlockType::Q2_K => long(src, importance, dst, q2_k::encode, q2_k::encode_weighted),
        BlockType::Q3_K => long(src, importance, dst, q3_k::encode, q3_k::encode_weighted),
        BlockType::Q4_K => long(src, importance, dst, q4_k::encode, q4_k::encode_weighted),
        BlockType::Q5_K => long(src, importance, dst, q5_k::encode, q5_k::encode_weighted),
        BlockType::Q6_K => either(src, importance, dst, q6_k::encode),
        BlockType::IQ1_S => needy(ty, src, importance, dst, iq1_s::encode)?,
        BlockType::IQ1_M => either(src, importance, dst, iq1_m::encode),
        BlockType::IQ2_XXS => needy(ty, src, importance, dst, iq2_xxs::encode)?,
        BlockType::IQ2_XS => needy(ty, src, importance, dst, iq2_xs::encode)?,
        BlockType::IQ2_S => either(src, importance, dst, iq2_s::encode),
        BlockType::IQ3_XXS => either(src, importance, dst, iq3_xxs::encode),
        BlockType::IQ3_S => either(src, importance, dst, iq3_s::encode),
        BlockType::IQ4_NL => {
            // Without importance rows have no meaning for it: all blocks go eight at a time.
            let stored = dst.as_chunks_mut().0;
            match importance {
                None => iq4_nl::encode_blocks(src, None, stored),
                Some(importance) => {
                    for (x, stored) in src.chunks_exact(cols).zip(stored.chunks_exact_mut(cols / 32)) {
                        iq4_nl::encode_blocks(x, Some(importance), stored);
                    }
                }
            }
        }
        BlockType::IQ4_XS => either(src, importance, dst, iq4_xs::encode),
        BlockType::TQ1_0 => blocks(src, dst, tq1_0::encode),
        BlockType::TQ2_0 => blocks(src, dst, tq2_0::encode),
        BlockType::MXFP4 => blocks(src, dst, mxfp4::encode),
        BlockType::NVFP4 => blocks(src, dst, nvfp4::encode),
        BlockType::Q1_0 => blocks(src, dst, q1_0::encode),
        BlockType::Q2_0 => blocks(src, dst, q2_0::encode),
        _ => return Err(BlockError::CannotQuantize(ty)),
    }
    Ok(())
}

/// Dequantizes whole rows of `cols` weights into `dst`, with the reference's float operations.
///
/// Any bytes are accepted; scales that are not finite give weights that are not finite.
///
/// # Errors
/// When a size does not fit the others, or this crate cannot read `ty`.
pub fn dequantize_rows(ty: BlockType, src: &[u8], cols: usize, dst: &mut [f32]) -> Result<(), BlockError> {
    if !ty.can_dequantize() {
        return Err(BlockError::CannotDequantize(ty));
    }
    check_sizes(ty, dst.len(), cols, src.len())?;
    match ty {
        BlockType::F32 => blocks(src, dst, |&bytes, [out]| *out = single::decode(bytes)),
        BlockType::F16 => blocks(src, dst, |&bytes, [out]| *out = f16::decode(bytes)),
        BlockType::BF16 => blocks(src, dst, |&bytes, [out]| *out = bf16::decode(bytes)),
        BlockType::Q4_0 => blocks(src, dst, q4_0::decode),
        BlockType::Q4_1 => blocks(src, dst, q4_1::decode),
        BlockType::Q5_0 => blocks(src, dst, q5_0::decode),
        BlockType::Q5_1 => blocks(src, dst, q5_1::decode),
        BlockType::Q8_0 => blocks(src, dst, q8_0::decode),
        BlockType::Q2_K => blocks(src, dst, q2_k::decode),
        BlockType::Q3_K => blocks(src, dst, q3_k::decode),
        BlockType::Q4_K => blocks(src, dst, q4_k::decode),
        BlockType::Q5_K => blocks(src, dst, q5_k::decode),
        BlockType::Q6_K => blocks(src, dst, q6_k::decode),
        BlockType::IQ1_S => blocks(src, dst, iq1_s::decode),
        BlockType::IQ1_M => blocks(src, dst, iq1_m::decode),
        BlockType::IQ2_XXS => blocks(src, dst, iq2_xxs::decode),
        BlockType::IQ2_XS => blocks(src, dst, iq2_xs::decode),
        BlockType::IQ2_S => blocks(src, dst, iq2_s::decode),
        BlockType::IQ3_XXS => blocks(src, dst, iq3_xxs::decode),
        BlockType::IQ3_S => blocks(src, dst, iq3_s::decode),
        BlockType::IQ4_NL => blocks(src, dst, iq4_nl::decode),
        BlockType::IQ4_XS => blocks(src, dst, iq4_xs::decode),
        BlockType::TQ1_0 => blocks(src, dst, tq1_0::decode),
        BlockType::TQ2_0 => blocks(src, dst, tq2_0::decode),
        BlockType::MXFP4 => blocks(src, dst, mxfp4::decode),
        BlockType::NVFP4 => blocks(src, dst, nvfp4::decode),
        BlockType::Q1_0 => blocks(src, dst, q1_0::decode),
        BlockType::Q2_0 => blocks(src, dst, q2_0::decode),
        _ => return Err(BlockError::CannotDequantize(ty)),
    }
    Ok(())
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

/// Block by block; the sizes have been checked, so neither side has a rest.
///
/// One function per type on purpose: inlined into one, the loops of one type changed the vector code of another.
#[inline(never)]
fn blocks<A, B, const N: usize, const M: usize>(src: &[A], dst: &mut [B], code: impl Fn(&[A; N], &mut [B; M])) {
    for (src, dst) in src.as_chunks::<N>().0.iter().zip(dst.as_chunks_mut::<M>().0) {
        code(src, dst);
    }
}

/// The types of 32-weight blocks, which under importance need the whole row at once.
#[inline(never)]
fn short<const BYTES: usize>(
    src: &[f32],
    cols: usize,
    importance: Option<&[f32]>,
    dst: &mut [u8],
    plain: impl Fn(&[f32; 32], &mut [u8; BYTES]),
    weighted: impl Fn(&[f32], &[f32], &mut [[u8; BYTES]]),
) {
    let Some(importance) = importance else { return blocks(src, dst, plain) };
    let stored = dst.as_chunks_mut::<BYTES>().0;
    for (row, stored) in src.chunks_exact(cols).zip(stored.chunks_exact_mut(cols / 32)) {
        weighted(row, importance, stored);
    }
}

/// The super-block types; importance starts anew with every row.
#[inline(never)]
fn long<const BYTES: usize>(
    src: &[f32],
    importance: Option<&[f32]>,
    dst: &mut [u8],
    plain: impl Fn(&[f32; SUPER], &mut [u8; BYTES]),
    weighted: impl Fn(&[f32; SUPER], &[f32; SUPER], &mut [u8; BYTES]),
) {
    let Some(importance) = importance else { return blocks(src, dst, plain) };
    let importance = importance.as_chunks::<SUPER>().0.iter().cycle();
    let stored = dst.as_chunks_mut::<BYTES>().0;
    for ((x, importance), stored) in src.as_chunks::<SUPER>().0.iter().zip(importance).zip(stored) {
        weighted(x, importance, stored);
    }
}

/// The super-block types with one function for both cases.
#[inline(always)]
fn either<const BYTES: usize>(
    src: &[f32],
    importance: Option<&[f32]>,
    dst: &mut [u8],
    encode: impl Fn(&[f32; SUPER], Option<&[f32; SUPER]>, &mut [u8; BYTES]),
) {
    long(src, importance, dst, |x, out| encode(x, None, out), |x, importance, out| encode(x, Some(importance), out));
}

/// The super-block types that cannot be written without importance.
#[inline(always)]
fn needy<const BYTES: usize>(
    ty: BlockType,
    src: &[f32],
    importance: Option<&[f32]>,
    dst: &mut [u8],
    encode: impl Fn(&[f32; SUPER], &[f32; SUPER], &mut [u8; BYTES]),
) -> Result<(), BlockError> {
    let Some(importance) = importance else { return Err(BlockError::ImportanceNeeded(ty)) };
    long(src, Some(importance), dst, |_, _| (), encode);
    Ok(())
}
