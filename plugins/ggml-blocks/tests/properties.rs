//! What holds for any input: wrong sizes are errors, no bit pattern panics, rows do not influence each other.

use llmq_ggml_blocks::{BlockError, BlockType, dequantize_rows, quantize_rows, relative_error_bound, validate_rows};
use proptest::prelude::*;

fn codecs() -> impl Strategy<Value = BlockType> {
    let all: Vec<_> = BlockType::ALL.iter().copied().filter(|ty| ty.can_quantize()).collect();
    prop::sample::select(all)
}

/// Any bits, with the troublesome ones often.
fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => any::<u32>().prop_map(f32::from_bits),
        2 => -1f32..1f32,
        1 => prop::sample::select(vec![
            f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE,
            f32::from_bits(1), f32::from_bits(0x7f80_0001),
        ]),
    ]
}

/// Even importance stands in for none where a type needs some.
fn stored(ty: BlockType, x: &[f32], cols: usize, importance: Option<&[f32]>) -> Vec<u8> {
    let ones = vec![1.0; cols];
    let importance = importance.or(ty.needs_importance().then_some(&ones[..]));
    let mut bytes = vec![0; x.len() / ty.block_len() * ty.block_bytes()];
    quantize_rows(ty, x, cols, importance, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn no_bit_pattern_panics(
        ty in codecs(),
        x in prop::collection::vec(any_float(), 768),
        importance in prop::collection::vec(any_float(), 256),
        weighted: bool,
    ) {
        let importance = weighted.then_some(&importance[..]);
        let bytes = stored(ty, &x, 256, importance);
        prop_assert_eq!(&bytes, &stored(ty, &x, 256, importance), "same input, other bytes");
        let mut back = vec![0.0; x.len()];
        dequantize_rows(ty, &bytes, 256, &mut back).unwrap();
        let _ = validate_rows(ty, &bytes);
    }

    #[test]
    fn any_bytes_dequantize_and_valid_ones_to_finite_weights(ty in codecs(), seed: Vec<u8>) {
        prop_assume!(!seed.is_empty());
        let bytes: Vec<u8> = seed.iter().copied().cycle().take(3 * ty.block_bytes()).collect();
        let mut out = vec![0.0; 3 * ty.block_len()];
        dequantize_rows(ty, &bytes, ty.block_len(), &mut out).unwrap();
        if validate_rows(ty, &bytes).is_ok() {
            prop_assert!(out.iter().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn rows_are_independent(
        ty in codecs(),
        x in prop::collection::vec(-1f32..1f32, 1536),
        importance in prop::collection::vec(0f32..10f32, 512),
        weighted: bool,
    ) {
        let importance = weighted.then_some(&importance[..]);
        let together = stored(ty, &x, 512, importance);
        let apart: Vec<u8> = x.chunks(512).flat_map(|row| stored(ty, row, 512, importance)).collect();
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn ordinary_rows_come_back_within_the_bound(
        ty in codecs(),
        x in prop::collection::vec(-1f32..1f32, 512),
        exponent in -6i32..4,
    ) {
        let x: Vec<f32> = x.iter().map(|v| v * 10f32.powi(exponent)).collect();
        let mut back = vec![0.0; x.len()];
        dequantize_rows(ty, &stored(ty, &x, 512, None), 512, &mut back).unwrap();
        let error: f64 = x.iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let power: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum();
        let relative = (error / power).sqrt();
        // Below about 1e-4 the half-float scales lose bits, which is not the codec's doing.
        if exponent >= -2 {
            prop_assert!(relative <= relative_error_bound(ty), "{:?}: {relative}", ty);
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors(ty in codecs(), rows in 0usize..4, blocks in 1usize..4, off in 1usize..40) {
        let cols = blocks * ty.block_len();
        let x = vec![0.5; rows * cols];
        let want = rows * blocks * ty.block_bytes();
        let mut out = vec![0; want + off];
        let wrong = BlockError::ByteLength { ty, want, have: want + off };
        let ones = vec![1.0; cols];
        prop_assert_eq!(quantize_rows(ty, &x, cols, Some(&ones), &mut out), Err(wrong.clone()));
        let mut back = vec![0.0; rows * cols];
        prop_assert_eq!(dequantize_rows(ty, &out, cols, &mut back), Err(wrong));
        let importance = vec![1.0; cols + off];
        prop_assert_eq!(
            quantize_rows(ty, &x, cols, Some(&importance), &mut out[..want]),
            Err(BlockError::ImportanceLength { cols, have: cols + off })
        );
        if off % cols != 0 {
            let x = vec![0.5; rows * cols + off];
            prop_assert_eq!(
                quantize_rows(ty, &x, cols, None, &mut out),
                Err(BlockError::PartialRow { len: x.len(), cols })
            );
        }
        if ty.block_len() > 1 && off % ty.block_len() != 0 {
            let ragged = BlockError::RaggedRow { ty, cols: (cols + off) as u64 };
            prop_assert_eq!(quantize_rows(ty, &x, cols + off, None, &mut out), Err(ragged));
        }
    }
}

#[test]
fn types_without_a_codec_are_refused() {
    for &ty in BlockType::ALL.iter().filter(|ty| !ty.can_quantize()) {
        assert_eq!(quantize_rows(ty, &[], 0, None, &mut []), Err(BlockError::CannotQuantize(ty)));
        if !ty.can_dequantize() {
            assert_eq!(dequantize_rows(ty, &[], 0, &mut []), Err(BlockError::CannotDequantize(ty)));
        }
    }
    let needed = quantize_rows(BlockType::IQ2_XS, &[0.5; 256], 256, None, &mut [0; 74]);
    assert_eq!(needed, Err(BlockError::ImportanceNeeded(BlockType::IQ2_XS)));
}

#[test]
fn no_columns_hold_no_weights() {
    assert_eq!(quantize_rows(BlockType::Q4_K, &[], 0, Some(&[]), &mut []), Ok(()));
    let partial = Err(BlockError::PartialRow { len: 1, cols: 0 });
    assert_eq!(quantize_rows(BlockType::F16, &[1.0], 0, None, &mut [0; 2]), partial);
}
