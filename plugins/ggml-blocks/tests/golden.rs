//! The codecs against bytes recorded from the reference: 12 kinds of rows of 1024, without and with importance.
//!
//! The rows: normal, heavy-tailed, one outlier, zero, constant, tiny, alternating, unit normal, rounding ties, sparse,
//! offset, half-precision. Recorded from `ggml_quantize_chunk` of llama.cpp 0c1e57098 (x86-64, no fused multiply-add).

use std::path::Path;

use llmq_ggml_blocks::{BlockType, dequantize_rows, quantize_rows};

const COLS: usize = 1024;
const TYPES: &[BlockType] = &[
    BlockType::F16,
    BlockType::BF16,
    BlockType::Q4_0,
    BlockType::Q4_1,
    BlockType::Q5_0,
    BlockType::Q5_1,
    BlockType::Q8_0,
    BlockType::Q2_K,
    BlockType::Q3_K,
    BlockType::Q4_K,
    BlockType::Q5_K,
    BlockType::Q6_K,
    BlockType::IQ4_NL,
    BlockType::IQ4_XS,
    BlockType::TQ1_0,
    BlockType::TQ2_0,
    BlockType::MXFP4,
    BlockType::NVFP4,
    BlockType::Q1_0,
    BlockType::Q2_0,
    BlockType::IQ1_S,
    BlockType::IQ1_M,
    BlockType::IQ2_XXS,
    BlockType::IQ2_XS,
    BlockType::IQ2_S,
    BlockType::IQ3_XXS,
    BlockType::IQ3_S,
];

/// Types whose weights were recorded in full; of the others, a checksum of the weights.
const IN_FULL: usize = 12;

/// One recording serves both cases.
fn ignores_importance(ty: BlockType) -> bool {
    use BlockType::*;
    matches!(ty, TQ1_0 | TQ2_0 | MXFP4 | NVFP4 | Q1_0 | Q2_0)
}

fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn floats(name: &str) -> Vec<f32> {
    bytes(name).as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn differing_blocks(ty: BlockType, ours: &[u8], theirs: &[u8]) -> Vec<usize> {
    assert_eq!(ours.len(), theirs.len());
    let size = ty.block_bytes();
    let pairs = ours.chunks(size).zip(theirs.chunks(size));
    pairs.enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect()
}

fn check_quantize(importance: Option<&[f32]>, suffix: &str) {
    let input = floats("input.f32");
    for &ty in TYPES.iter().filter(|ty| importance.is_some() || !ty.needs_importance()) {
        let suffix = if ignores_importance(ty) { "noimat" } else { suffix };
        let theirs = bytes(&format!("{}.{suffix}.bin", ty.name()));
        let mut ours = vec![0xaa; theirs.len()];
        quantize_rows(ty, &input, COLS, importance, &mut ours).unwrap();
        let wrong = differing_blocks(ty, &ours, &theirs);
        assert!(wrong.is_empty(), "{} {suffix}: blocks {wrong:?} differ", ty.name());
    }
}

#[test]
fn bytes_without_importance_are_the_references() {
    check_quantize(None, "noimat");
}

#[test]
fn bytes_with_importance_are_the_references() {
    check_quantize(Some(&floats("imatrix.f32")), "imat");
}

#[test]
fn dequantized_weights_are_the_references_bit_for_bit() {
    for &ty in &TYPES[..IN_FULL] {
        for (stored, weights) in [("noimat.bin", "f32"), ("imat.bin", "imat.f32")] {
            let ignores_importance = matches!(ty, BlockType::F16 | BlockType::BF16 | BlockType::Q8_0);
            if ignores_importance && weights == "imat.f32" {
                continue;
            }
            let theirs = floats(&format!("{}.{weights}", ty.name()));
            let mut ours = vec![f32::NAN; theirs.len()];
            dequantize_rows(ty, &bytes(&format!("{}.{stored}", ty.name())), COLS, &mut ours).unwrap();
            for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(a.to_bits(), b.to_bits(), "{} {stored}: weight {i}: {a:e} for {b:e}", ty.name());
            }
        }
    }
}

/// FNV-1a over the little-endian bytes of the weights.
fn checksum(weights: &[f32]) -> u64 {
    let bytes = weights.iter().flat_map(|weight| weight.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn dequantized_weights_have_the_checksums_of_the_references() {
    let listed = String::from_utf8(bytes("dequantized.txt")).unwrap();
    for line in listed.lines() {
        let (file, sum) = line.split_once(' ').unwrap();
        let ty = BlockType::from_name(file.split('.').next().unwrap()).unwrap();
        let stored = bytes(file);
        let mut ours = vec![f32::NAN; stored.len() / ty.block_bytes() * ty.block_len()];
        dequantize_rows(ty, &stored, COLS, &mut ours).unwrap();
        assert_eq!(format!("{:016x}", checksum(&ours)), sum, "{file}");
    }
    for &ty in &TYPES[IN_FULL..] {
        assert!(listed.contains(&format!("{}.", ty.name())), "{} is not listed", ty.name());
    }
}

#[test]
fn f32_is_stored_as_it_is() {
    let input = floats("input.f32");
    let stored = bytes("input.f32");
    let mut ours = vec![0; stored.len()];
    quantize_rows(BlockType::F32, &input, COLS, None, &mut ours).unwrap();
    assert_eq!(ours, stored);
    let mut back = vec![0.0; input.len()];
    dequantize_rows(BlockType::F32, &ours, COLS, &mut back).unwrap();
    assert!(back.iter().zip(&input).all(|(a, b)| a.to_bits() == b.to_bits()));
}

/// One super-block each (256 weights, 256 importance weights, the reference's blocks) in which a level wraps during the
/// search. Found by comparing a search that clamps with llama.cpp v0.5.0, which wraps: about one in 10^5 sparse rows
/// under uneven importance.
#[test]
fn levels_that_wrap_in_the_search_wrap_as_in_the_reference() {
    for ty in [BlockType::Q4_1, BlockType::Q5_1, BlockType::Q2_K, BlockType::Q4_K, BlockType::Q5_K] {
        let case = bytes(&format!("wrapped.{}.bin", ty.name()));
        let (head, theirs) = case.split_at(2 * 4 * 256);
        let numbers: Vec<f32> = head.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let (x, importance) = numbers.split_at(256);
        let mut ours = vec![0xaa; theirs.len()];
        quantize_rows(ty, x, 256, Some(importance), &mut ours).unwrap();
        assert_eq!(differing_blocks(ty, &ours, theirs), [0usize; 0], "{}", ty.name());
    }
}
