//! What the unweighted 32-weight types need to know of a block: its ends, or its weight of largest magnitude.

/// Lanes of the pairwise searches below; the order of comparisons does not change what is found in finite weights.
const LANES: usize = 8;

/// Smallest and largest weight of the block.
#[inline(always)]
pub(crate) fn ends(x: &[f32; 32]) -> (f32, f32) {
    let (low, high) = unsigned_ends(x);
    (first_equal(x, low), first_equal(x, high))
}

/// The ends, but for the sign of a zero.
#[inline(always)]
fn unsigned_ends(x: &[f32; 32]) -> (f32, f32) {
    let (mut low, mut high) = ([f32::MAX; LANES], [f32::MIN; LANES]);
    for part in x.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            low[i] = if part[i] < low[i] { part[i] } else { low[i] };
            high[i] = if part[i] > high[i] { part[i] } else { high[i] };
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            low[i] = if low[i + width] < low[i] { low[i + width] } else { low[i] };
            high[i] = if high[i + width] > high[i] { high[i + width] } else { high[i] };
        }
        width /= 2;
    }
    (low[0], high[0])
}

/// Where an end is zero, the sign of the first zero of the block is stored, not that of the lane that found it.
#[inline(always)]
fn first_equal(x: &[f32; 32], end: f32) -> f32 {
    if end != 0.0 { end } else { x.iter().copied().find(|&v| v == 0.0).unwrap_or(end) }
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
pub(crate) fn extreme(x: &[f32; 32]) -> f32 {
    let (low, high) = unsigned_ends(x);
    if high > -low {
        high
    } else if high < -low {
        low
    } else if high == 0.0 {
        0.0
    } else {
        x.iter().copied().find(|v| v.abs() == high).unwrap_or(0.0)
    }
}

/// 1 / d, or 0 for a block without scale.
#[inline(always)]
pub(crate) fn inverse(d: f32) -> f32 {
    if d != 0.0 { 1.0 / d } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_gives_the_sign() {
        let mut x = [-0.0f32; 32];
        assert_eq!(extreme(&x).to_bits(), 0);
        x[0] = 0.0;
        let signs = |(low, high): (f32, f32)| (low.is_sign_negative(), high.is_sign_negative());
        assert_eq!(signs(ends(&x)), (false, false));
        (x[0], x[7]) = (-0.0, 0.0);
        assert_eq!(signs(ends(&x)), (true, true));
        (x[20], x[5]) = (-2.0, 2.0);
        assert_eq!((extreme(&x), ends(&x)), (2.0, (-2.0, 2.0)));
    }
}
