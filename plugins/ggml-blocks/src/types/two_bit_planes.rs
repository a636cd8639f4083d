//! How Q2_K and Q3_K pack 2-bit levels: byte i of each 32 holds weights i, i + 32, i + 64 and i + 96 of its half.

use super::SUPER;

/// Packs the low two bits of 256 levels.
#[inline(always)]
pub(crate) fn pack(levels: &[u8; SUPER], out: &mut [u8]) {
    for (packed, levels) in out.as_chunks_mut::<32>().0.iter_mut().zip(levels.as_chunks::<128>().0) {
        for i in 0..32 {
            packed[i] =
                (levels[i] & 3) | (levels[i + 32] & 3) << 2 | (levels[i + 64] & 3) << 4 | (levels[i + 96] & 3) << 6;
        }
    }
}

/// Unpacks 256 levels of two bits.
#[inline(always)]
pub(crate) fn unpack(packed: &[u8]) -> [u8; SUPER] {
    let mut levels = [0; SUPER];
    for (packed, levels) in packed.as_chunks::<32>().0.iter().zip(levels.as_chunks_mut::<128>().0) {
        for i in 0..32 {
            levels[i] = packed[i] & 3;
            levels[i + 32] = (packed[i] >> 2) & 3;
            levels[i + 64] = (packed[i] >> 4) & 3;
            levels[i + 96] = packed[i] >> 6;
        }
    }
    levels
}
