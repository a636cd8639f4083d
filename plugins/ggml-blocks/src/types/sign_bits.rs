//! Signs of eight weights in one byte, or in seven bits where their number is kept even.

/// Magnitudes of eight weights, and a bit per negative one.
#[inline(always)]
pub(crate) fn split(x: &[f32; 8]) -> ([f32; 8], u8) {
    let mut signs = 0;
    for (i, &v) in x.iter().enumerate() {
        signs |= u8::from(v < 0.0) << i;
    }
    (x.map(|v| if v >= 0.0 { v } else { -v }), signs)
}

/// As `split`, but an even number of signs: if it is odd, the weight that counts least takes the other sign and its
/// magnitude becomes negative. The eighth sign follows from the others and is not part of the result.
#[inline(always)]
pub(crate) fn split_even(x: &[f32; 8], weights: &[f32; 8]) -> ([f32; 8], u8) {
    let (mut magnitudes, mut signs) = split(x);
    if signs.count_ones() % 2 != 0 {
        let mut least = 0;
        let mut least_cost = weights[0] * x[0] * x[0];
        for i in 1..8 {
            let cost = weights[i] * x[i] * x[i];
            if cost < least_cost {
                (least, least_cost) = (i, cost);
            }
        }
        magnitudes[least] = -magnitudes[least];
        signs ^= 1 << least;
    }
    (magnitudes, signs & 127)
}

/// All eight signs of seven stored ones.
#[inline(always)]
pub(crate) fn complete(signs: u8) -> u8 {
    let seven = signs & 127;
    seven | ((seven.count_ones() as u8 & 1) << 7)
}

/// 1 or -1 for sign `i`.
#[inline(always)]
pub(crate) fn factor(signs: u8, i: usize) -> f32 {
    if (signs >> i) & 1 != 0 { -1.0 } else { 1.0 }
}
