//! The sixteen values of a 4-bit float with two exponent bits and one mantissa bit, and the nearest of them.

/// Twice the value of every code; code 8 is a negative zero, which is read as zero.
pub(crate) const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The magnitudes halfway between those of codes 0 to 7, for `DOUBLED` times `half_scale`.
///
/// The reference compares rounded distances and keeps the lower code where they are equal. Next to a boundary those
/// distances are exact, so a code is the number of boundaries strictly below the magnitude (not beyond `FAR`). Two
/// exceptions stand in the boundaries: without scale no code is nearer than 0, and a value that overflows is never nearer
/// than one before it.
#[inline(always)]
fn boundaries(half_scale: f32) -> [f32; 7] {
    let mut out = [f32::INFINITY; 7];
    if half_scale != 0.0 {
        for i in 0..7 {
            let (below, above) = (f32::from(DOUBLED[i]) * half_scale, f32::from(DOUBLED[i + 1]) * half_scale);
            // Beyond infinity this is not a number, below which nothing lies.
            out[i] = below + (above - below) * 0.5;
        }
    }
    out
}

/// The codes of as many weights as there is room for.
#[inline(always)]
fn nearest_codes<const N: usize>(x: &[f32; N], boundaries: &[f32; 7]) -> [u8; N] {
    let mut codes = [0; N];
    for i in 0..N {
        let mut code = 0u32;
        for boundary in boundaries {
            code += u32::from(x[i].abs() > *boundary);
        }
        // A negative weight that is nearest to zero gets the code of zero, not of negative zero.
        let side = if (x[i] < 0.0) & (code != 0) { 8 } else { 0 };
        codes[i] = (code | side) as u8;
    }
    codes
}

/// From this many times the scale on, distances to different codes may round to the same.
const FAR: f32 = (1 << 20) as f32;

/// The reference's way: the first code of strictly least distance. `FAR` weights need it.
fn first_nearest(v: f32, half_scale: f32) -> u8 {
    let (mut code, mut best) = (0, v.abs());
    for i in 1..16 {
        let error = (f32::from(DOUBLED[usize::from(i)]) * half_scale - v).abs();
        (code, best) = if error < best { (i, error) } else { (code, best) };
    }
    code
}

/// [`first_nearest`] of a group with a weight for which the scale is too small.
#[cold]
#[inline(never)]
fn far_codes<const N: usize>(x: &[f32; N], half_scale: f32) -> [u8; N] {
    x.map(|v| first_nearest(v, half_scale))
}

/// Codes of `N` weights of at most `largest` magnitude, packed: weight j in the low half of byte j, weight j + N / 2 in
/// the high half.
#[inline(always)]
pub(crate) fn pack<const N: usize>(x: &[f32; N], largest: f32, half_scale: f32, out: &mut [u8]) {
    let far = half_scale != 0.0 && largest > FAR * half_scale;
    let codes = if far { far_codes(x, half_scale) } else { nearest_codes(x, &boundaries(half_scale)) };
    let (low, high) = codes.split_at(N / 2);
    for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
        *out = low | high << 4;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_boundaries_finds_the_first_nearest_code() {
        // Scales of all exponents, with the mantissas that either type has; weights around every value and boundary.
        let scales = (0..254u32).flat_map(|e| (0..8).map(move |m| f32::from_bits(e << 23 | m << 20)));
        for half_scale in scales.chain([0.0, f32::from_bits(0x0020_0000), f32::from_bits(0x0040_0000)]) {
            if half_scale.is_subnormal() && half_scale.to_bits().count_ones() > 1 {
                continue;
            }
            for eighths in 0..=104 {
                let near = eighths as f32 / 8.0 * half_scale;
                for ulps in -2..=2 {
                    let v = f32::from_bits(near.to_bits().saturating_add_signed(ulps));
                    for v in [v, -v].into_iter().filter(|v| v.is_finite()) {
                        let found = nearest_codes(&[v], &boundaries(half_scale))[0];
                        assert_eq!(found, first_nearest(v, half_scale), "{v:e} in {half_scale:e}");
                    }
                }
            }
        }
    }
}
