//! How the 32-weight types pack levels: low nibbles of weights i and i + 16 share a byte, fifth bits share a word.

/// Packs 32 levels of 4 bits.
#[inline(always)]
pub(crate) fn pack_nibbles(levels: &[u8; 32]) -> [u8; 16] {
    core::array::from_fn(|i| (levels[i] & 15) | (levels[i + 16] << 4))
}

/// Collects bit 4 of every level: bit i of the word belongs to weight i.
#[inline(always)]
pub(crate) fn pack_fifth(levels: &[u8; 32]) -> [u8; 4] {
    let mut bits = [0; 4];
    for (bits, eight) in bits.iter_mut().zip(levels.as_chunks::<8>().0) {
        // The product moves bit 0 of byte i to bit 56 + i; no two terms meet.
        let fifth = (u64::from_le_bytes(*eight) >> 4) & 0x0101_0101_0101_0101;
        *bits = (fifth.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    }
    bits
}

/// The levels of 4 bits of weights 0..16 and of weights 16..32, in words, which turn into floats side by side.
#[inline(always)]
pub(crate) fn unpack_wide(packed: &[u8; 16]) -> ([u32; 16], [u32; 16]) {
    let words = packed.map(u32::from);
    (words.map(|w| w & 15), words.map(|w| w >> 4))
}

/// The levels of 5 bits of weights `i` and `i + 16`.
#[inline(always)]
pub(crate) fn unpack_five(packed: &[u8; 16], fifth: u32, i: usize) -> (i32, i32) {
    let low = u32::from(packed[i] & 15) | ((fifth >> i) & 1) << 4;
    let high = u32::from(packed[i] >> 4) | ((fifth >> (i + 16)) & 1) << 4;
    (low as i32, high as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bits_survive() {
        let levels: [u8; 32] = core::array::from_fn(|i| (i * 11 % 32) as u8);
        let (packed, fifth) = (pack_nibbles(&levels), u32::from_le_bytes(pack_fifth(&levels)));
        let (low, high) = unpack_wide(&packed);
        for i in 0..16 {
            assert_eq!(unpack_five(&packed, fifth, i), (i32::from(levels[i]), i32::from(levels[i + 16])));
            assert_eq!((low[i] as u8, high[i] as u8), (levels[i] & 15, levels[i + 16] & 15));
        }
    }
}
