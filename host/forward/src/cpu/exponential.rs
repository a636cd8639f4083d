//! The exponential in single precision: the same bits on every processor, and simple enough for the compiler to vectorise.
//! With fused multiply-add, whose one rounding is the same everywhere; where a processor lacks it, it is slow.
//!
//! Softmax and activations take one per number; the C library's differs in its last bit from system to system, and is
//! called one number at a time (measured: a fifth of the forward pass of a small model).

/// Below this the result is taken for zero; the true one is under 1.3e-38.
const SMALLEST: f32 = -87.0;

/// Above this the result stays where it is: 1.65e38.
const LARGEST: f32 = 88.0;

/// ln 2 in two parts: few enough bits that their product with any n here is exact, and what is left.
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7200);
const LN_2_LOW: f32 = f32::from_bits(0x35bf_be8e);

/// Adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// 1 / k! for k = 7 down to 0.
const FACTORS: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// `e^x` within three units in the last place from -87 to 88; zero below, `e^88` above, zero or NaN for NaN.
///
/// x = n ln 2 + r with |r| at most ln 2 / 2, Taylor's series of e^r up to r^7 (what is left out is below 6e-9), and n added to
/// the exponent.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let below = if x < LARGEST { x } else { LARGEST };
    let bounded = if below > SMALLEST { below } else { SMALLEST };
    let shifted = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = (-n).mul_add(LN_2_LOW, (-n).mul_add(LN_2_HIGH, bounded));
    let mut series = FACTORS[0];
    for factor in &FACTORS[1..] {
        series = series.mul_add(r, *factor);
    }
    // A mask: for a choice the compiler would make a branch of it all, number by number.
    let kept = u32::from(x > SMALLEST).wrapping_neg();
    series * f32::from_bits((shifted.to_bits().wrapping_add(127) << 23) & kept)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, within 5e-7 of the true one.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_close_as_single_precision_allows() {
        let mut worst = 0.0f64;
        for step in 1..1_750_000u32 {
            let x = -87.0 + step as f32 * 1e-4;
            worst = worst.max((f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(worst <= 3.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
    }

    #[test]
    fn beyond_the_ends() {
        for x in [-87.0, -1e30, f32::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0, "{x}");
        }
        for x in [89.0, 1e30, f32::INFINITY] {
            assert_eq!(exp(x), exp(88.0), "{x}");
        }
        assert!(exp(88.0) > 1.6e38);
        assert_eq!((sigmoid(-200.0), sigmoid(200.0)), (1.0 / (1.0 + exp(88.0)), 1.0));
        assert_eq!((tanh(-50.0), tanh(50.0), tanh(0.0)), (-1.0, 1.0, 0.0));
    }

    #[test]
    fn close_to_the_tangent() {
        for step in -40_000..40_000 {
            let x = step as f32 * 5e-4;
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 5e-7, "{x}");
        }
    }
}
