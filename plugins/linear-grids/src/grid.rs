//! Uniform grids: `w = scale * (code - zero)`, codes from 0 to `2^bits - 1`, one scale and one zero per row and group.

use half::f16;

/// The codes that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Bits of a code, 1 to 8.
    pub bits: u32,
    /// Zero is always the middle, `2^(bits - 1)`; else it is chosen with the scale.
    pub symmetric: bool,
}

/// The steps of one row in one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// Distance between neighbours: above zero, finite, a half-precision number.
    pub scale: f32,
    /// The code that stands for 0.
    pub zero: u8,
}

impl Grid {
    /// Largest code.
    pub fn most(self) -> f32 {
        ((1u32 << self.bits) - 1) as f32
    }

    /// The zero of symmetric grids.
    pub fn middle(self) -> u8 {
        1 << (self.bits - 1)
    }

    /// The steps that just reach all weights. Symmetric: the largest magnitude, of either sign, is half of the grid away
    /// from zero (gptqmodel's rule, so the largest positive weight is rounded down by half a step). Else: from the
    /// smallest weight or 0 to the largest or 0.
    pub fn reaching(self, weights: &[f32]) -> Steps {
        let (low, high) = weights.iter().fold((0.0f32, 0.0f32), |(low, high), w| (low.min(*w), high.max(*w)));
        self.spanning(low, high)
    }

    /// The steps that just reach all weights from `low` (at most 0) to `high` (at least 0).
    #[inline(always)]
    pub(crate) fn spanning(self, low: f32, high: f32) -> Steps {
        if self.symmetric {
            let scale = stored(2.0 * high.max(-low) / self.most());
            return Steps { scale, zero: self.middle() };
        }
        let scale = stored((high - low) / self.most());
        Steps { scale, zero: (-low / scale).round_ties_even().clamp(0.0, self.most()) as u8 }
    }

    /// The code whose value is nearest, as a number.
    pub fn code(self, weight: f32, steps: Steps) -> f32 {
        nearest_code(weight, steps.scale, f32::from(steps.zero), self.most())
    }
}

/// The code up to `most` whose value is nearest.
#[inline(always)]
pub(crate) fn nearest_code(weight: f32, scale: f32, zero: f32, most: f32) -> f32 {
    // A quotient that overflows is clamped like any other; none is NaN, since scales are above zero.
    ((weight / scale).round_ties_even() + zero).max(0.0).min(most)
}

impl Steps {
    /// What a code stands for, as loaders compute it.
    pub fn value(self, code: u8) -> f32 {
        self.scale * (f32::from(code) - f32::from(self.zero))
    }
}

/// The nearest scale that half precision can store. Never zero or infinite: a group of zeros still has steps.
pub fn stored(scale: f32) -> f32 {
    let scale = f16::from_f32(scale.min(f16::MAX.to_f32())).to_f32();
    if scale > 0.0 { scale } else { f16::MIN_POSITIVE_SUBNORMAL.to_f32() }
}
