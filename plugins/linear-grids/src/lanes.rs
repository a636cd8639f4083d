//! Rows side by side: one lane per row of the matrix, one line per column.

use pulp::{Arch, Simd};

/// Rows that are worked on together. With 128 columns they take 16 KiB.
pub(crate) const LANES: usize = 32;

/// One number per row.
pub(crate) type Line = [f32; LANES];

/// All zeros.
pub(crate) const ZERO: Line = [0.0; LANES];

/// Runs a body, everything inlined into it included, with the widest instructions that the processor has.
pub(crate) fn widest<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// Lines whose products are added before a line is stored again. With one at a time, loads and stores take longer than the
/// arithmetic; and left to itself the compiler gathers single lanes (AVX-512), at a twentieth of this speed.
pub(crate) const TOGETHER: usize = 8;

/// `to[k] += sum over i of factors[i][k] * from[i]`, added in the order of `i` with fused multiply-add, whose one rounding is
/// the same on every processor; where one lacks it, it is slow.
///
/// # Panics
/// If a row of factors is shorter than `to`.
#[inline(always)]
pub(crate) fn add_products<'a, S: Simd>(simd: S, to: &mut [Line], factors: impl Fn(usize) -> &'a [f32], from: &[Line]) {
    let count = to.len();
    let (eights, rest) = from.as_chunks::<TOGETHER>();
    for (number, from) in eights.iter().enumerate() {
        let factors: [&[f32]; TOGETHER] = std::array::from_fn(|i| &factors(number * TOGETHER + i)[..count]);
        add_run(simd, to, |k, i| factors[i][k], from);
    }
    for (number, from) in rest.iter().enumerate() {
        let factors = &factors(eights.len() * TOGETHER + number)[..count];
        add_run(simd, to, |k, _| factors[k], std::array::from_ref(from));
    }
}

/// The same for eight lines, whose factors lie beside each other for every `k`.
///
/// # Panics
/// If there are fewer factors than lines in `to`.
#[inline(always)]
pub(crate) fn add_eight<S: Simd>(simd: S, to: &mut [Line], factors: &[[f32; TOGETHER]], from: &[Line; TOGETHER]) {
    let factors = &factors[..to.len()];
    add_run(simd, to, |k, i| factors[k][i], from);
}

#[inline(always)]
fn add_run<S: Simd, const N: usize>(simd: S, to: &mut [Line], factor: impl Fn(usize, usize) -> f32, from: &[Line; N]) {
    for vector in 0..LANES / S::F32_LANES {
        let from: [S::f32s; N] = std::array::from_fn(|i| S::as_simd_f32s(&from[i]).0[vector]);
        for k in 0..to.len() {
            let line = &mut S::as_mut_simd_f32s(&mut to[k]).0[vector];
            let mut sum = *line;
            for i in 0..N {
                sum = simd.mul_add_f32s(simd.splat_f32s(factor(k, i)), from[i], sum);
            }
            *line = sum;
        }
    }
}
