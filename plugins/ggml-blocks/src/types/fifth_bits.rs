//! How the 32-weight types pack levels: low nibbles of weights i and i + 16 share a byte, fifth bits share a word.

/// Packs 32 levels of 4 bits.
#[inline(always)]
pub(crate) fn pack_nibbles(levels: &[u8; 32]) -> [u8; 16] {
    core::array::from_fn(|i| (levels[i] & 15) | (levels[i + 16] << 4))
}

/// Unpacks 32 levels of 4 bits.
#[inline(always)]
pub(crate) fn unpack_nibbles(packed: &[u8; 16]) -> [u8; 32] {
    core::array::from_fn(|i| if i < 16 { packed[i] & 15 } else { packed[i - 16] >> 4 })
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

/// Puts the fifth bits back onto levels of 4 bits.
#[inline(always)]
pub(crate) fn add_fifth(levels: &mut [u8; 32], word: [u8; 4]) {
    let word = u32::from_le_bytes(word);
    for (i, level) in levels.iter_mut().enumerate() {
        *level |= ((word >> i) as u8 & 1) << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bits_survive() {
        let levels: [u8; 32] = core::array::from_fn(|i| (i * 11 % 32) as u8);
        let mut back = unpack_nibbles(&pack_nibbles(&levels));
        add_fifth(&mut back, pack_fifth(&levels));
        assert_eq!(back, levels);
    }
}
