//! Sums and maxima in lanes of fixed number: fast, and the same bits on every processor.
//!
//! The compiler may not reorder a sum; in lanes it need not. Bodies run with the widest instructions that the processor
//! has; products and sums are fused only where the code says so, since that rounds otherwise.

use pulp::Arch;

/// Numbers side by side.
pub(super) const LANES: usize = 16;

/// Runs a body, everything inlined into it included, with the widest instructions that the processor has.
pub(super) fn widest<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// The sum of `of` over all numbers, in double precision.
#[inline(always)]
pub(super) fn sum(values: &[f32], of: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, x)| *lane += of(f64::from(*x)));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += of(f64::from(*x)));
    lanes.iter().sum()
}

/// The largest number, at least `least`; NaN is passed over.
#[inline(always)]
pub(super) fn largest(values: &[f32], least: f32) -> f32 {
    let larger = |lane: &mut f32, x: &f32| *lane = if *x > *lane { *x } else { *lane };
    let mut lanes = [least; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, x)| larger(lane, x));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| larger(lane, x));
    lanes.into_iter().fold(least, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_counts_once() {
        for count in [0usize, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (1..=count).map(|x| x as f32).collect();
            assert_eq!(sum(&values, |x| x) as usize, count * (count + 1) / 2);
            assert_eq!(largest(&values, -1.0), if count == 0 { -1.0 } else { count as f32 });
        }
        assert_eq!(largest(&[f32::NAN, 2.0], 0.0), 2.0);
    }
}
