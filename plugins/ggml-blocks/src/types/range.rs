//! What the unweighted 32-weight types need to know of a block: its ends, or its weight of largest magnitude.

use crate::lanes::Lanes;

/// Lanes of the pairwise search below; the order of comparisons does not change what is found in finite weights.
const LANES: usize = 8;

/// Smallest and largest weight of the block.
#[inline(always)]
pub(crate) fn ends<V: Lanes>(x: &[f32; 32]) -> (f32, f32) {
    let (low, high) = unsigned_ends::<V>(x);
    (first_equal(x, low), first_equal(x, high))
}

/// The ends, but for the sign of a zero. NaN is passed over.
#[inline(always)]
fn unsigned_ends<V: Lanes>(x: &[f32; 32]) -> (f32, f32) {
    let (mut low, mut high) = (V::splat(f32::MAX), V::splat(f32::MIN));
    for at in (0..32).step_by(V::COUNT) {
        let x = V::load(&x[at..]);
        (low, high) = (x.min(low), x.max(high));
    }
    (low.least(), high.most())
}

/// Where an end is zero, the sign of the first zero of the block is stored, not that of the lane that found it.
#[inline(always)]
fn first_equal(x: &[f32; 32], end: f32) -> f32 {
    if end != 0.0 { end } else { first(x, |v| v == 0.0) }
}

/// The first weight of a kind. Inlined, it made the compiler load all weights one by one ahead of the question.
#[cold]
#[inline(never)]
fn first(x: &[f32; 32], is: impl Fn(f32) -> bool) -> f32 {
    x.iter().copied().find(|&v| is(v)).unwrap_or(0.0)
}

/// Largest magnitude of the block.
#[inline(always)]
pub(crate) fn magnitude<const N: usize>(x: &[f32; N]) -> f32 {
    const { assert!(N.is_multiple_of(LANES)) };
    let mut largest = [0f32; LANES];
    for part in x.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            largest[i] = if part[i].abs() > largest[i] { part[i].abs() } else { largest[i] };
        }
    }
    largest.into_iter().fold(0.0, |a, b| if b > a { b } else { a })
}

/// The first weight of largest magnitude, with its sign: where +m and -m both occur, the first decides.
/// A block of zeros gives +0, whatever their signs.
#[inline(always)]
pub(crate) fn extreme<V: Lanes>(x: &[f32; 32]) -> f32 {
    let (low, high) = unsigned_ends::<V>(x);
    if high > -low {
        high
    } else if high < -low {
        low
    } else if high == 0.0 {
        0.0
    } else {
        first(x, |v| v.abs() == high)
    }
}

/// How many steps of `d` each weight lies above `low`, rounded half up. The number is positive and at most 31, as `d`
/// divides the distance of the block's ends by a level.
///
/// Where 1 / d has no end, the reference's conversion of what then comes out gives 0; so does that of NaN.
#[inline(always)]
pub(crate) fn steps_above<V: Lanes>(x: &[f32; 32], low: f32, d: f32) -> [u8; 32] {
    let id = inverse(d);
    let (low, id, half) = (V::splat(low), V::splat(if id.is_infinite() { 0.0 } else { id }), V::splat(0.5));
    let mut levels = [0; 32];
    for at in (0..32).step_by(V::COUNT) {
        ((V::load(&x[at..]) - low) * id + half).store_bytes(&mut levels[at..]);
    }
    levels
}

/// 1 / d, or 0 for a block without scale.
#[inline(always)]
pub(crate) fn inverse(d: f32) -> f32 {
    if d != 0.0 { 1.0 / d } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Beside;

    #[test]
    fn steps_are_rounded_half_up_and_nothing_comes_of_a_scale_without_inverse() {
        let x: [f32; 32] = core::array::from_fn(|i| i as f32 * 0.5 - 3.0);
        let levels = core::array::from_fn(|i| i.div_ceil(2) as u8);
        assert_eq!(steps_above::<f32>(&x, -3.0, 1.0), levels);
        for d in [0.0, 1e-40, f32::INFINITY] {
            assert_eq!(steps_above::<f32>(&x, -3.0, d), [0; 32]);
        }
        assert_eq!(steps_above::<f32>(&[f32::NAN; 32], -3.0, 1.0), [0; 32]);
    }

    #[test]
    fn the_first_of_equals_gives_the_sign() {
        let mut x = [-0.0f32; 32];
        assert_eq!(extreme::<f32>(&x).to_bits(), 0);
        x[0] = 0.0;
        let signs = |(low, high): (f32, f32)| (low.is_sign_negative(), high.is_sign_negative());
        assert_eq!(signs(ends::<f32>(&x)), (false, false));
        (x[0], x[7]) = (-0.0, 0.0);
        assert_eq!(signs(ends::<f32>(&x)), (true, true));
        assert_eq!(ends::<Beside<f32, 8>>(&x).0.to_bits(), ends::<f32>(&x).0.to_bits());
        x[9] = f32::NAN;
        (x[20], x[5]) = (-2.0, 2.0);
        assert_eq!((extreme::<Beside<f32, 8>>(&x), ends::<Beside<f32, 8>>(&x)), (2.0, (-2.0, 2.0)));
        assert_eq!((extreme::<f32>(&x), ends::<f32>(&x)), (2.0, (-2.0, 2.0)));
    }
}
