//! MXFP4: x = 2^(e - 127) * v, a power of two per 32 weights and 4-bit floats. Importance weights do not change it.

use core::f64::consts::LOG2_E;

use super::four_bit_float::{pack, unpack};
use super::range::magnitude;
use crate::BlockType;

/// Bytes of a block: exponent (1), codes (16).
pub(crate) const BYTES: usize = 1 + 16;
const _: () = assert!(BYTES == BlockType::MXFP4.block_bytes());

#[inline(always)]
pub(crate) fn encode(x: &[f32; 32], out: &mut [u8; BYTES]) {
    let largest = magnitude(x);
    // The largest 4-bit float is 6 = 1.5 * 2^2.
    let exponent = if largest > 0.0 { (rounded_log2_floor(largest) - 2 + 127) as u8 } else { 0 };
    out[0] = exponent;
    pack(x, largest, half_scale(exponent), &mut out[1..]);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; 32]) {
    unpack(&block[1..], half_scale(block[0]), out);
}

/// 2^(e - 128).
fn half_scale(e: u8) -> f32 {
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (u32::from(e) - 1) << 23 })
}

/// `floor(log2(v))` of the reference, which rounds the logarithm to single precision before the floor: a value just
/// below 2^k counts as 2^k if its logarithm is nearer to k than to the next float below k. `v` is positive.
fn rounded_log2_floor(v: f32) -> i32 {
    // Infinity is not a weight; it gets the exponent of the largest one.
    let v = f64::from(v.min(f32::MAX));
    let floor = (v.to_bits() >> 52) as i32 - 1023;
    let above = floor + 1;
    let power = f64::from_bits(((above + 1023) as u64) << 52);
    let below = f64::from((above as f32).next_down());
    let short = (power - v) / power * LOG2_E;
    if above != 0 && short < (f64::from(above) - below) / 2.0 { above } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_rounded_before_they_are_floored() {
        let under = |power: f32, ulps: u32| f32::from_bits(power.to_bits() - ulps);
        for (v, want) in [
            (1.0, 0),
            (under(1.0, 1), -1),
            (3.9, 1),
            (under(4.0, 1), 1),
            (under(16.0, 1), 4),
            (under(16.0, 2), 3),
            (under(16_777_216.0, 11), 24),
            (under(16_777_216.0, 12), 23),
            (f32::from_bits(1), -149),
            (f32::MAX, 128),
        ] {
            assert_eq!(rounded_log2_floor(v), want, "{v:e}");
        }
    }
}
