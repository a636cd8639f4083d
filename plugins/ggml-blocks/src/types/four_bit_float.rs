//! The sixteen values of a 4-bit float with two exponent bits and one mantissa bit, and the nearest of them.

/// Twice the value of every code; code 8 is a negative zero, which is read as zero.
pub(crate) const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The code whose value, `DOUBLED` times `half_scale`, is nearest to `v`; of equally near ones the lowest code.
///
/// Only the signs that can win are compared: a value on the other side of zero is never strictly nearer than zero.
#[inline(always)]
pub(crate) fn nearest_code(v: f32, half_scale: f32) -> u8 {
    let (mut code, mut best) = (0, v.abs());
    let side = if v < 0.0 { 8 } else { 0 };
    for i in 1..8u8 {
        let error = (f32::from(DOUBLED[usize::from(side + i)]) * half_scale - v).abs();
        (code, best) = if error < best { (side + i, error) } else { (code, best) };
    }
    code
}

/// Codes of `2 * H` weights, packed: weight j in the low half of byte j, weight j + H in the high half.
#[inline(always)]
pub(crate) fn pack(x: &[f32], half_scale: f32, out: &mut [u8]) {
    let (low, high) = x.split_at(out.len());
    for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
        *out = nearest_code(low, half_scale) | nearest_code(high, half_scale) << 4;
    }
}

/// The weights behind packed codes.
#[inline(always)]
pub(crate) fn unpack(packed: &[u8], half_scale: f32, out: &mut [f32]) {
    let (low, high) = out.split_at_mut(packed.len());
    for ((&codes, low), high) in packed.iter().zip(low).zip(high) {
        *low = f32::from(DOUBLED[usize::from(codes & 15)]) * half_scale;
        *high = f32::from(DOUBLED[usize::from(codes >> 4)]) * half_scale;
    }
}
