//! TQ1_0: x = d * (q - 1), five ternary digits per byte. Importance weights do not change it.
//!
//! A byte holds round-up(256 / 243 * value) of its base-3 number, so that multiplying by 3 pushes the next digit out at
//! the top: no division is needed to read it.

use super::SUPER;
use super::f16::f16_to_f32;
use super::ternary::digits;
use crate::BlockType;

/// Bytes of a block: five digits each (32 + 16), four digits each (4), scale (2).
pub(crate) const BYTES: usize = 32 + 16 + 4 + 2;
const _: () = assert!(BYTES == BlockType::TQ1_0.block_bytes());

/// Runs of bytes: first byte, number of bytes (also the distance between digits of one byte), first weight, digits.
const RUNS: [(usize, usize, usize, usize); 3] = [(0, 32, 0, 5), (32, 16, 160, 5), (48, 4, 240, 4)];
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

#[inline(always)]
pub(crate) fn encode(x: &[f32; SUPER], out: &mut [u8; BYTES]) {
    let (d, digits) = digits(x);
    for (byte, stride, first, count) in RUNS {
        for i in 0..stride {
            let number = (0..5).fold(0u16, |number, n| {
                3 * number + if n < count { u16::from(digits[first + n * stride + i]) } else { 0 }
            });
            out[byte + i] = ((number * 256).div_ceil(243)) as u8;
        }
    }
    out[BYTES - 2..].copy_from_slice(&d);
}

#[inline(always)]
pub(crate) fn decode(block: &[u8; BYTES], out: &mut [f32; SUPER]) {
    let d = f16_to_f32(u16::from_le_bytes([block[BYTES - 2], block[BYTES - 1]]));
    let (first, rest) = out.split_at_mut(160);
    let (second, third) = rest.split_at_mut(80);
    unpack_run::<32>(&block[..32], d, first);
    unpack_run::<16>(&block[32..48], d, second);
    unpack_run::<4>(&block[48..52], d, third);
}

/// The digits of `N` bytes, the first digits of all of them first.
#[inline(always)]
fn unpack_run<const N: usize>(bytes: &[u8], d: f32, out: &mut [f32]) {
    let Some(bytes) = bytes.first_chunk::<N>() else { return };
    for (out, power) in out.as_chunks_mut::<N>().0.iter_mut().zip(POWERS) {
        for i in 0..N {
            // In words, which turn into floats side by side.
            let rest = (u32::from(bytes[i]) * u32::from(power)) & 255;
            out[i] = (((rest * 3) >> 8) as i32 - 1) as f32 * d;
        }
    }
}
