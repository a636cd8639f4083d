//! Loops compiled for the widest instructions that the processor has.

use pulp::{Arch, Simd, WithSimd};

/// Runs a body, everything inlined into it included, with the widest instructions.
///
/// `FnMut`, not `FnOnce`: the call of the latter goes through a function of the compiler's own making, which a long body
/// keeps from being inlined; measured, such a body was compiled without wide instructions.
#[inline(always)]
pub(crate) fn widest(body: impl FnMut()) {
    Arch::new().dispatch(Body(body));
}

/// Asks for numbers that are wanted soon; on other processors than x86-64 nothing.
#[inline(always)]
pub fn prefetch(numbers: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(8) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and no address makes it fail.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

struct Body<F>(F);

impl<F: FnMut()> WithSimd for Body<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        (self.0)();
    }
}
