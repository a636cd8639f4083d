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

struct Body<F>(F);

impl<F: FnMut()> WithSimd for Body<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        (self.0)();
    }
}
