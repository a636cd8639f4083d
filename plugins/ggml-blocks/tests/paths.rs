//! Every path that this processor has gives the bytes of the scalar one, on all kinds of rows and on random blocks.
#![allow(clippy::print_stderr, reason = "says which paths were compared")]

#[path = "live/rows.rs"]
mod rows;

use llmq_ggml_blocks::*;
use rows::{IMPORTANCE, KINDS, Random};

/// The paths to compare with the scalar one.
fn others() -> Vec<Path> {
    let (have, lack): (Vec<_>, Vec<_>) = Path::ALL.into_iter().partition(|path| path.is_available());
    if !lack.is_empty() {
        eprintln!("SKIPPED: this processor lacks {lack:?}");
    }
    have.into_iter().filter(|&path| path != Path::Scalar).collect()
}

#[test]
fn all_paths_write_the_same_bytes() {
    let others = others();
    assert!(!others.is_empty());
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize()) {
        // Odd numbers of blocks and of super-blocks, so that what is done side by side has a rest.
        let cols = if ty.block_len() <= 32 { 9 * 32 } else { 3 * ty.block_len() };
        let mut random = Random::new(u64::from(ty.id()));
        for (k, kind) in KINDS.iter().enumerate() {
            let x: Vec<f32> = (0..3).flat_map(|_| rows::row(&mut random, cols, kind)).collect();
            let size = 3 * ty.row_bytes(cols as u64).unwrap() as usize;
            let importance = rows::importance(&mut random, cols, IMPORTANCE[k % IMPORTANCE.len()]);
            for q in [Some(importance), None].into_iter().filter(|q| q.is_some() || !ty.needs_importance()) {
                let (mut first, mut other) = (vec![0x55; size], vec![0xaa; size]);
                quantize_rows_on(Path::Scalar, ty, &x, cols, q.as_deref(), &mut first).unwrap();
                for &path in &others {
                    quantize_rows_on(path, ty, &x, cols, q.as_deref(), &mut other).unwrap();
                    assert!(first == other, "{ty:?} on {path}: {kind}, importance: {}", q.is_some());
                }
            }
        }
    }
}

#[test]
fn all_paths_read_the_same_weights() {
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_dequantize()) {
        let mut random = Random::new(u64::from(ty.id()) + 1);
        let blocks = 301;
        let bytes: Vec<u8> = (0..blocks * ty.block_bytes()).map(|_| random.bits() as u8).collect();
        let read = |path| {
            let mut weights = vec![0.0f32; blocks * ty.block_len()];
            dequantize_rows_on(path, ty, &bytes, ty.block_len(), &mut weights).unwrap();
            // NaN is NaN, whatever its bits.
            weights.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect::<Vec<_>>()
        };
        let first = read(Path::Scalar);
        for path in others() {
            assert!(first == read(path), "{ty:?} on {path}");
        }
    }
}

#[test]
fn a_path_that_is_missing_is_refused() {
    for path in Path::ALL.into_iter().filter(|path| !path.is_available()) {
        let refused = quantize_rows_on(path, BlockType::F16, &[1.0], 1, None, &mut [0; 2]);
        assert_eq!(refused, Err(BlockError::PathMissing(path)));
        let refused = dequantize_rows_on(path, BlockType::F16, &[0; 2], 1, &mut [0.0]);
        assert_eq!(refused, Err(BlockError::PathMissing(path)));
    }
}
