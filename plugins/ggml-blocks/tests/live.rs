//! The codecs against the reference's library itself, if `LLMQ_GGML_BASE` names one; otherwise skipped, loudly.
//!
//! `LLMQ_LIVE_SEEDS` sets how many seeds are drawn (default 4). Weights are compared bit for bit, NaN equal to NaN.
#![allow(clippy::print_stderr, reason = "figures of the comparison, and the notice that it was skipped")]

#[path = "live/reference.rs"]
mod reference;
#[path = "live/rows.rs"]
mod rows;

use llmq_ggml_blocks::*;
use reference::Reference;
use rows::{IMPORTANCE, KINDS, Random};

fn quantizable() -> impl Iterator<Item = BlockType> {
    BlockType::ALL.iter().copied().filter(|ty| ty.can_quantize() && *ty != BlockType::F32)
}

/// The types to compare: all, or those that `LLMQ_LIVE_TYPES` names.
fn chosen() -> impl Iterator<Item = BlockType> {
    let names = std::env::var("LLMQ_LIVE_TYPES").unwrap_or_default();
    quantizable().filter(move |ty| names.is_empty() || names.split(',').any(|name| name == ty.name()))
}

/// Where no weight of a group counts (nothing has importance, or squares vanish), the reference stores what its working
/// memory still held from an earlier group, or aborts; where sums overflow, it aborts.
fn defined(ty: BlockType, kind: &str, importance: Option<&str>) -> bool {
    use BlockType::*;
    if ty == IQ1_M {
        return kind != "vast";
    }
    if !matches!(ty, IQ1_S | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S) {
        return true;
    }
    let scattered = matches!(kind, "sparse" | "onehot" | "zeroblocks") && importance == Some("gaps");
    !(matches!(kind, "denorm" | "vast" | "decades" | "tiny") || scattered || importance == Some("zero"))
}

fn seeds() -> u64 {
    std::env::var("LLMQ_LIVE_SEEDS").map_or(4, |seeds| seeds.parse().expect("LLMQ_LIVE_SEEDS is a number"))
}

/// Compares one set of rows, reporting each differing block; returns (blocks, differing).
fn compare(reference: &Reference, ty: BlockType, x: &[f32], cols: usize, q: Option<&[f32]>, what: &str) -> (u64, u64) {
    let size = x.len() / cols * ty.row_bytes(cols as u64).unwrap() as usize;
    let (mut ours, mut theirs) = (vec![0x55; size], vec![0xaa; size]);
    quantize_rows(ty, x, cols, q, &mut ours).unwrap();
    reference.quantize(ty, x, cols, q, &mut theirs);
    let (mut blocks, mut wrong) = (0, 0);
    for (i, (a, b)) in ours.chunks(ty.block_bytes()).zip(theirs.chunks(ty.block_bytes())).enumerate() {
        blocks += 1;
        if a != b {
            wrong += 1;
            if wrong <= 2 {
                eprintln!("{} {what} cols {cols} block {i}:\n ours   {a:02x?}\n theirs {b:02x?}", ty.name());
            }
        }
    }
    (blocks, wrong)
}

#[test]
fn quantized_blocks_are_the_references() {
    let Some(reference) = Reference::open() else { return };
    let (mut all_blocks, mut all_wrong) = (0, 0);
    for ty in chosen() {
        let lengths: &[usize] = match ty.block_len() {
            256 => &[256, 768, 2048],
            64 | 128 => &[128, 384, 1152, 2048],
            _ => &[32, 96, 288, 1056, 2048],
        };
        let (mut blocks, mut wrong) = (0, 0);
        for seed in 0..seeds() {
            for (k, kind) in KINDS.iter().enumerate() {
                let mut random = Random::new(seed << 32 | (k as u64) << 16 | u64::from(ty.id()));
                for &cols in lengths {
                    let x: Vec<f32> = (0..3).flat_map(|_| rows::row(&mut random, cols, kind)).collect();
                    let mut add = |(some, bad)| (blocks, wrong) = (blocks + some, wrong + bad);
                    if !ty.needs_importance() && defined(ty, kind, None) {
                        add(compare(&reference, ty, &x, cols, None, kind));
                    }
                    for importance in IMPORTANCE.into_iter().filter(|i| defined(ty, kind, Some(i))) {
                        let q = rows::importance(&mut random, cols, importance);
                        add(compare(&reference, ty, &x, cols, Some(&q), &format!("{kind}, importance {importance}")));
                    }
                }
            }
        }
        eprintln!("{:5} {blocks} blocks compared, {wrong} differ", ty.name());
        (all_blocks, all_wrong) = (all_blocks + blocks, all_wrong + wrong);
    }
    assert!(all_blocks > 0);
    assert_eq!(all_wrong, 0, "of {all_blocks} blocks");
}

#[test]
fn dequantized_random_bytes_are_the_references() {
    let Some(reference) = Reference::open() else { return };
    for ty in quantizable() {
        let blocks = 2000 * seeds() as usize;
        let mut random = Random::new(u64::from(ty.id()));
        let bytes: Vec<u8> = (0..blocks * ty.block_bytes()).map(|_| random.bits() as u8).collect();
        let (mut ours, mut theirs) = (vec![0.0; blocks * ty.block_len()], vec![1.0; blocks * ty.block_len()]);
        dequantize_rows(ty, &bytes, ty.block_len(), &mut ours).unwrap();
        reference.dequantize(ty, &bytes, &mut theirs);
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
        let wrong = ours.iter().zip(&theirs).filter(|&pair| differs(pair)).count();
        eprintln!("{:5} {blocks} random blocks dequantized, {wrong} weights differ", ty.name());
        assert_eq!(wrong, 0, "{}", ty.name());
    }
}

#[test]
fn halves_convert_as_in_the_reference() {
    let Some(reference) = Reference::open() else { return };
    let (to_f16, from_f16) =
        (reference.conversion::<f32, u16>("ggml_fp32_to_fp16"), reference.conversion::<u16, f32>("ggml_fp16_to_fp32"));
    let (to_bf16, from_bf16) =
        (reference.conversion::<f32, u16>("ggml_fp32_to_bf16"), reference.conversion::<u16, f32>("ggml_bf16_to_fp32"));
    for half in 0..=u16::MAX {
        assert_eq!(f16_to_f32(half).to_bits(), from_f16(half).to_bits(), "f16 {half:#06x}");
        assert_eq!(bf16_to_f32(half).to_bits(), from_bf16(half).to_bits(), "bf16 {half:#06x}");
    }
    // Every float whose upper 19 bits vary, with the low bits on and around every rounding boundary of both halves.
    let mut count = 0u64;
    for high in 0..=u32::MAX >> 13 {
        for low in [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff] {
            let v = f32::from_bits(high << 13 | low);
            assert_eq!(f32_to_f16(v), to_f16(v), "{v:e} {:#010x} to f16", v.to_bits());
            assert_eq!(f32_to_bf16(v), to_bf16(v), "{v:e} {:#010x} to bf16", v.to_bits());
            count += 1;
        }
    }
    eprintln!("131072 halves and {count} singles converted alike");
}

#[test]
fn type_table_is_the_references() {
    let Some(reference) = Reference::open() else { return };
    for &ty in BlockType::ALL {
        let (name, len, bytes) = reference.layout(ty.id());
        assert!(name.eq_ignore_ascii_case(ty.name()), "{} is called {name}", ty.name());
        assert_eq!((len, bytes), (ty.block_len(), ty.block_bytes()), "{}", ty.name());
    }
}

#[test]
fn microscaling_exponents_are_the_references_around_every_power_of_two() {
    let Some(reference) = Reference::open() else { return };
    let mut x = Vec::new();
    for exponent in 1..255u32 {
        for ulps in -100..=100 {
            let v = f32::from_bits((exponent << 23).wrapping_add_signed(ulps));
            x.extend((0..32).map(|i| if i == 7 { v } else { 0.0 }));
        }
    }
    let (blocks, wrong) = compare(&reference, BlockType::MXFP4, &x, 32, None, "power of two");
    eprintln!("{blocks} blocks around powers of two, {wrong} differ");
    assert_eq!(wrong, 0);
}
