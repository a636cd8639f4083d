//! The 12 bytes that hold eight 6-bit scales and eight 6-bit minimums of a Q4_K or Q5_K super-block.
//!
//! Bytes 0..4 hold scales 0..4 in their low six bits, bytes 4..8 minimums 0..4, bytes 8..12 the low nibbles of scale
//! and minimum 4..8; the upper two bits of bytes 0..8 are the upper two bits of scales 4..8 and minimums 4..8.

/// Packs scales and minimums. Values above 63 spill as in the reference, which does not mask them.
pub(crate) fn pack(scales: &[u8; 8], minimums: &[u8; 8]) -> [u8; 12] {
    let mut packed = [0; 12];
    for j in 0..4 {
        packed[j] = scales[j] | (scales[j + 4] >> 4) << 6;
        packed[j + 4] = minimums[j] | (minimums[j + 4] >> 4) << 6;
        packed[j + 8] = (scales[j + 4] & 15) | (minimums[j + 4] << 4);
    }
    packed
}

/// Unpacks scales and minimums, four bytes at a time.
#[inline(always)]
pub(crate) fn unpack(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let word = |at: usize| u32::from_le_bytes([packed[at], packed[at + 1], packed[at + 2], packed[at + 3]]);
    let (scales, minimums, nibbles) = (word(0), word(4), word(8));
    let joined = |low: u32, nibbles: u32| {
        let high = nibbles & 0x0f0f_0f0f | low >> 2 & 0x3030_3030;
        (u64::from(low & 0x3f3f_3f3f) | u64::from(high) << 32).to_le_bytes()
    };
    (joined(scales, nibbles), joined(minimums, nibbles >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bits_survive() {
        let scales = [0, 63, 17, 42, 63, 1, 33, 16];
        let minimums = [63, 0, 5, 60, 31, 62, 48, 2];
        assert_eq!(unpack(&pack(&scales, &minimums)), (scales, minimums));
    }
}
