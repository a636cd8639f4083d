//! Uniform grids: `w = scale * (code - zero)`, codes from 0 to `2^bits - 1`, one scale and one zero per row and group.

use half::f16;

/// The codes that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Bits of a code, 1 to 8.
    pub bits: u32,
    /// Zero is always the middle, `2^(bits - 1)`; else it is chosen with the scale.
    pub symmetric: bool,
    /// Smallest zero that can be stored, where it is chosen.
    pub least_zero: u8,
}

/// The steps of one row in one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// From a code's value to the next code's: not zero, finite, a half-precision number. Below zero, codes run downwards:
    /// a symmetric grid then has its odd code, the one without an opposite, among the positive values.
    pub scale: f32,
    /// The code that stands for 0.
    pub zero: u8,
}

impl Grid {
    /// A grid whose zeros, if they are chosen, may be any code.
    pub fn new(bits: u32, symmetric: bool) -> Grid {
        Grid { bits, symmetric, least_zero: 0 }
    }

    /// Largest code.
    pub fn most(self) -> f32 {
        ((1u32 << self.bits) - 1) as f32
    }

    /// The zero of symmetric grids.
    pub fn middle(self) -> u8 {
        1 << (self.bits - 1)
    }

    /// The steps that just reach all weights.
    pub fn reaching(self, weights: &[f32]) -> Steps {
        let (low, high) = weights.iter().fold((0.0f32, 0.0f32), |(low, high), w| (low.min(*w), high.max(*w)));
        self.spanning(low, high)
    }

    /// The steps from `low`, at most 0, to `high`, at least 0. Symmetric: the larger magnitude is half of the grid away
    /// from zero (gptqmodel's rule, so that value, if it is positive, is rounded down by half a step).
    #[inline(always)]
    pub fn spanning(self, low: f32, high: f32) -> Steps {
        if self.symmetric {
            let scale = stored(2.0 * high.max(-low) / self.most());
            return Steps { scale, zero: self.middle() };
        }
        let scale = stored((high - low) / self.most());
        let zero = (-low / scale).round_ties_even().clamp(0.0, self.most()) as u8;
        if zero >= self.least_zero {
            return Steps { scale, zero };
        }
        // What is nearly or all positive has fewer codes then.
        Steps { scale: stored(high / (self.most() - f32::from(self.least_zero))), zero: self.least_zero }
    }

    /// The code whose value is nearest, as a number.
    pub fn code(self, weight: f32, steps: Steps) -> f32 {
        nearest_code(weight, steps.scale, f32::from(steps.zero), self.most())
    }
}

/// The code up to `most` whose value is nearest.
#[inline(always)]
pub(crate) fn nearest_code(weight: f32, scale: f32, zero: f32, most: f32) -> f32 {
    // A quotient that overflows is clamped like any other; none is NaN, since no scale is zero.
    ((weight / scale).round_ties_even() + zero).max(0.0).min(most)
}

impl Steps {
    /// What a code stands for, as loaders compute it.
    pub fn value(self, code: u8) -> f32 {
        self.scale * (f32::from(code) - f32::from(self.zero))
    }
}

/// The nearest scale that half precision can store, of the same sign. Never zero or infinite: a group of zeros still has
/// steps.
pub fn stored(scale: f32) -> f32 {
    let size = f16::from_f32(scale.abs().min(f16::MAX.to_f32())).to_f32();
    size.max(f16::MIN_POSITIVE_SUBNORMAL.to_f32()).copysign(scale)
}
