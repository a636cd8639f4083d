//! The exponential of numbers up to zero: the same bits on every machine, and simple enough for the compiler to vectorise.
//!
//! Scoring takes two exponentials per token of the vocabulary and position. The C library's differs in its last bit from
//! system to system and is called one number at a time.

/// Below this, `e^x` is less than 3.4e-308 and taken for zero.
pub(crate) const SMALLEST: f64 = -708.0;

/// ln 2 in two parts: the first 32 bits, whose product with any n here is exact, and what is left.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// Adding it rounds to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `e^x` within two units in the last place for `x` in -708..=0, zero below, minus infinity included.
///
/// For NaN the result is NaN or zero; positive numbers are outside its domain. Method: x = n ln 2 + r with |r| at most
/// ln 2 / 2, Taylor's series of e^r up to r^13 (what is left out is below 5e-18), and n added to the exponent.
#[inline(always)]
pub(crate) fn exp_up_to_zero(x: f64) -> f64 {
    let bounded = if x > SMALLEST { x } else { SMALLEST };
    let shifted = bounded * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (bounded - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut series = 1.0 / 6_227_020_800.0;
    for factor in FACTORS {
        series = series * r + factor;
    }
    // A mask: for a choice the compiler would make a branch of it all, number by number.
    let kept = u64::from(x > SMALLEST).wrapping_neg();
    series * f64::from_bits((shifted.to_bits().wrapping_add(1023) << 52) & kept)
}

/// 1 / k! for k = 12 down to 0.
const FACTORS: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_close_as_the_libraries() {
        let mut worst = 0.0f64;
        for step in 0..2_000_000u32 {
            let x = -f64::from(step) * 0.000_353_9;
            let expected = x.exp();
            worst = worst.max((exp_up_to_zero(x) / expected - 1.0).abs());
        }
        assert!(worst <= 2.0 * f64::EPSILON, "{worst:e}");
        assert_eq!(exp_up_to_zero(0.0), 1.0);
        assert_eq!(exp_up_to_zero(-0.0), 1.0);
    }

    #[test]
    fn far_below_it_is_zero() {
        for x in [-708.0, -709.0, -1e300, f64::NEG_INFINITY] {
            assert_eq!(exp_up_to_zero(x), 0.0, "{x}");
        }
        assert!(exp_up_to_zero(-707.999) > 0.0);
    }
}
