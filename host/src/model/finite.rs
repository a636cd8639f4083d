//! Finding the first weight that is not a number or too large for one, at the speed of memory.

use super::Dtype;

/// Position of the first element that is NaN, infinite, or (for F64) beyond the range of f32.
pub fn first_non_finite(dtype: Dtype, bytes: &[u8]) -> Option<usize> {
    match dtype {
        Dtype::F32 => scan::<4>(bytes, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000),
        Dtype::F16 => scan::<2>(bytes, |b| u16::from_le_bytes(b) & 0x7c00 == 0x7c00),
        Dtype::BF16 => scan::<2>(bytes, |b| u16::from_le_bytes(b) & 0x7f80 == 0x7f80),
        Dtype::F64 => scan::<8>(bytes, |b| !(f64::from_le_bytes(b) as f32).is_finite()),
    }
}

/// Tests whole blocks without a branch per element, which the compiler turns into vector code, and looks for the exact
/// place only in the block that has one.
fn scan<const N: usize>(bytes: &[u8], bad: impl Fn([u8; N]) -> bool) -> Option<usize> {
    const BLOCK: usize = 1024;
    let (elements, _) = bytes.as_chunks::<N>();
    for (block, chunk) in elements.chunks(BLOCK).enumerate() {
        if chunk.iter().fold(false, |any, &e| any | bad(e)) {
            return chunk.iter().position(|&e| bad(e)).map(|i| block * BLOCK + i);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    fn check(dtype: Dtype, fine: &[u8], bad: &[&[u8]]) {
        let count = 3000;
        let clean: Vec<u8> = fine.iter().copied().cycle().take(count * dtype.size()).collect();
        assert_eq!(first_non_finite(dtype, &clean), None);
        for value in bad {
            for place in [0, 1, 1023, 1024, 2047, count - 1] {
                let mut bytes = clean.clone();
                bytes[place * dtype.size()..][..dtype.size()].copy_from_slice(value);
                assert_eq!(first_non_finite(dtype, &bytes), Some(place), "{dtype:?} {value:?}");
            }
        }
    }

    #[test]
    fn finds_the_exact_place_in_every_dtype() {
        check(
            Dtype::F32,
            &f32::MAX.to_le_bytes(),
            &[&f32::NAN.to_le_bytes(), &f32::INFINITY.to_le_bytes(), &f32::NEG_INFINITY.to_le_bytes()],
        );
        check(Dtype::F16, &f16::MIN.to_le_bytes(), &[&f16::NAN.to_le_bytes(), &f16::NEG_INFINITY.to_le_bytes()]);
        check(Dtype::BF16, &bf16::MAX.to_le_bytes(), &[&bf16::NAN.to_le_bytes(), &bf16::INFINITY.to_le_bytes()]);
        check(
            Dtype::F64,
            &1e-320f64.to_le_bytes(),
            &[&f64::NAN.to_le_bytes(), &f64::INFINITY.to_le_bytes(), &1e39f64.to_le_bytes()],
        );
    }
}
