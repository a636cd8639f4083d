//! Finds stored scales and values that are not finite, as the reference does before it trusts a row.

use crate::types::f16::f16_to_f32;
use crate::types::{iq1_m, mxfp4};
use crate::{BlockError, BlockType};

/// Where a block keeps a half-float scale: byte offset and name.
type ScaleAt = (usize, &'static str);

/// Checks every block of `bytes` for a scale, minimum or value that is NaN or infinite.
///
/// # Errors
/// The first such block, by index and field; or bytes that are not whole blocks; or a type without a codec here.
pub fn validate_rows(ty: BlockType, bytes: &[u8]) -> Result<(), BlockError> {
    use BlockType::*;
    if !bytes.len().is_multiple_of(ty.block_bytes()) {
        return Err(BlockError::PartialBlock { ty, have: bytes.len() });
    }
    match ty {
        F32 => first_bad(ty, bytes, |b| (!f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite()).then_some("value")),
        BF16 => first_bad(ty, bytes, |b| (b[1] & 0x7f == 0x7f && b[0] & 0x80 != 0).then_some("value")),
        F16 => halves(ty, bytes, &[(0, "value")]),
        Q4_0 | Q5_0 | Q8_0 => halves(ty, bytes, &[(0, "scale")]),
        Q4_1 | Q5_1 | Q4_K | Q5_K => halves(ty, bytes, &[(0, "scale"), (2, "minimum")]),
        Q2_K => halves(ty, bytes, &[(80, "scale"), (82, "minimum")]),
        Q3_K => halves(ty, bytes, &[(108, "scale")]),
        Q6_K => halves(ty, bytes, &[(208, "scale")]),
        IQ4_NL | IQ4_XS | Q1_0 | Q2_0 => halves(ty, bytes, &[(0, "scale")]),
        IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S | IQ1_S => halves(ty, bytes, &[(0, "scale")]),
        IQ1_M => first_bad(ty, bytes, |block| {
            let half = block.first_chunk().map_or(0, iq1_m::scale);
            (!f16_to_f32(half).is_finite()).then_some("scale")
        }),
        TQ1_0 => halves(ty, bytes, &[(52, "scale")]),
        TQ2_0 => halves(ty, bytes, &[(64, "scale")]),
        MXFP4 => first_bad(ty, bytes, bad_mxfp4),
        // Its scales are small floats without infinity; its NaN is read as zero.
        NVFP4 => Ok(()),
        _ => Err(BlockError::CannotDequantize(ty)),
    }
}

fn halves(ty: BlockType, bytes: &[u8], fields: &[ScaleAt]) -> Result<(), BlockError> {
    first_bad(ty, bytes, |block| {
        let finite = |at: usize| f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]])).is_finite();
        fields.iter().find(|&&(at, _)| !finite(at)).map(|&(_, name)| name)
    })
}

/// Exponent 255 is this format's NaN; below it, the largest exponents can lift a code beyond single precision.
fn bad_mxfp4(block: &[u8]) -> Option<&'static str> {
    let mut weights = [0.0; 32];
    mxfp4::decode(block.first_chunk()?, &mut weights);
    if block[0] == u8::MAX {
        return Some("scale");
    }
    weights.iter().any(|weight| !weight.is_finite()).then_some("value")
}

fn first_bad(ty: BlockType, bytes: &[u8], bad_field: impl Fn(&[u8]) -> Option<&'static str>) -> Result<(), BlockError> {
    let mut blocks = bytes.chunks_exact(ty.block_bytes()).enumerate();
    let bad = blocks.find_map(|(block, bytes)| bad_field(bytes).map(|field| (block, field)));
    bad.map_or(Ok(()), |(block, field)| Err(BlockError::NotFinite { ty, block, field }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize_rows;

    #[test]
    fn weights_too_large_for_the_scale_are_found_in_their_block() {
        use BlockType::*;
        // The others have scales that reach further, or none that can fail.
        let types = BlockType::ALL.iter().copied().filter(|ty| ty.can_quantize());
        for ty in types.filter(|ty| !matches!(ty, F32 | BF16 | MXFP4 | NVFP4)) {
            let len = ty.block_len();
            let mut x: Vec<f32> = (0..4 * len).map(|i| (i as f32).sin() + 0.01).collect();
            let mut bytes = vec![0; 4 * ty.block_bytes()];
            let ones = vec![1.0; 4 * len];
            let importance = ty.needs_importance().then_some(&ones[..]);
            quantize_rows(ty, &x, 4 * len, importance, &mut bytes).unwrap();
            assert_eq!(validate_rows(ty, &bytes), Ok(()));
            x[2 * len..3 * len].fill(1e9);
            quantize_rows(ty, &x, 4 * len, importance, &mut bytes).unwrap();
            let found = validate_rows(ty, &bytes);
            assert!(matches!(found, Err(BlockError::NotFinite { block: 2, .. })), "{ty:?}: {found:?}");
        }
    }

    #[test]
    fn exponents_that_are_too_large_are_found() {
        let mut bytes = [0u8; 2 * 17];
        bytes[17] = 255;
        let bad = |field| Err(BlockError::NotFinite { ty: BlockType::MXFP4, block: 1, field });
        assert_eq!(validate_rows(BlockType::MXFP4, &bytes), bad("scale"));
        (bytes[17], bytes[20]) = (254, 0x70);
        assert_eq!(validate_rows(BlockType::MXFP4, &bytes), bad("value"));
        bytes[20] = 0x10;
        assert_eq!(validate_rows(BlockType::MXFP4, &bytes), Ok(()));
    }

    #[test]
    fn every_field_is_looked_at() {
        use BlockType::*;
        for (ty, at, field) in [
            (F32, 2, "value"),
            (F16, 0, "value"),
            (BF16, 0, "value"),
            (Q4_0, 0, "scale"),
            (Q5_0, 0, "scale"),
            (Q8_0, 0, "scale"),
            (Q4_1, 0, "scale"),
            (Q4_1, 2, "minimum"),
            (Q5_1, 0, "scale"),
            (Q5_1, 2, "minimum"),
            (Q2_K, 80, "scale"),
            (Q2_K, 82, "minimum"),
            (Q3_K, 108, "scale"),
            (Q4_K, 0, "scale"),
            (Q4_K, 2, "minimum"),
            (Q5_K, 0, "scale"),
            (Q5_K, 2, "minimum"),
            (Q6_K, 208, "scale"),
            (IQ4_NL, 0, "scale"),
            (IQ4_XS, 0, "scale"),
            (IQ2_XXS, 0, "scale"),
            (IQ2_XS, 0, "scale"),
            (IQ2_S, 0, "scale"),
            (IQ3_XXS, 0, "scale"),
            (IQ3_S, 0, "scale"),
            (IQ1_S, 0, "scale"),
            (TQ1_0, 52, "scale"),
            (TQ2_0, 64, "scale"),
            (Q1_0, 0, "scale"),
            (Q2_0, 0, "scale"),
        ] {
            let size = ty.block_bytes();
            let mut bytes = vec![0; 3 * size];
            assert_eq!(validate_rows(ty, &bytes), Ok(()));
            bytes[size + at] = 0x80;
            bytes[size + at + 1] = 0xff;
            assert_eq!(validate_rows(ty, &bytes), Err(BlockError::NotFinite { ty, block: 1, field }));
            let short = &bytes[1..];
            assert_eq!(validate_rows(ty, short), Err(BlockError::PartialBlock { ty, have: short.len() }));
        }
        let spread = [0, 0x00, 0, 0xc0, 0, 0xf0, 0, 0x70];
        let mut block = [0u8; 56];
        block[48..].copy_from_slice(&spread);
        assert_eq!(validate_rows(IQ1_M, &block), Err(BlockError::NotFinite { ty: IQ1_M, block: 0, field: "scale" }));
        block[55] = 0x30;
        assert_eq!(validate_rows(IQ1_M, &block), Ok(()));
        assert_eq!(validate_rows(Q8_1, &[]), Err(BlockError::CannotDequantize(Q8_1)));
    }
}
