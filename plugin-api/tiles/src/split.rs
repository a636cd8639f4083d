//! An f32 in three pieces of bf16, exactly.

/// The largest bits of a finite f32, without its sign, that round to a finite bf16.
const ROUNDS_TO_FINITE: u32 = 0x7f7f_7fff;

/// Half a unit in the last place of bf16, and what is kept of an f32.
const HALF: u32 = 0x8000;
const HEAD: u32 = 0xffff_0000;

/// Bits of infinity.
const INFINITE: u32 = 0x7f80_0000;

/// The pieces of x, largest first, each as the bits of an f32 whose lower half is zero: their sum is x.
///
/// Rounded, not cut off: what is left then has either sign, and is half as large. Each piece is at most 2^-8 of the one
/// before. Of infinity and NaN the first piece is the same, the others are zero. Exact for 0 and from 2^-110 on; below,
/// what is lost is below 2^-133.
#[inline(always)]
pub(crate) fn split(x: f32) -> [u32; 3] {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    // Beyond what rounds to a finite number, digits are cut off; NaN keeps one that says so.
    let nan = if magnitude > INFINITE { 0x0040_0000 } else { 0 };
    let rounded = if magnitude > ROUNDS_TO_FINITE { bits | nan } else { bits.wrapping_add(HALF) };
    let first = rounded & HEAD;
    let rest = if magnitude >= INFINITE { 0.0 } else { x - f32::from_bits(first) };
    // What is left is 2^-7 of a finite number at most: it rounds to a finite one.
    let second = rest.to_bits().wrapping_add(HALF) & HEAD;
    let third = (rest - f32::from_bits(second)).to_bits().wrapping_add(HALF) & HEAD;
    [first, second, third]
}

/// How many pieces hold all of these exactly: 1 to 3.
#[inline(always)]
pub(crate) fn pieces(values: &[f32]) -> usize {
    if values.iter().fold(0, |bits, x| bits | x.to_bits()) & 0xffff == 0 {
        return 1;
    }
    let third = values.iter().fold(0, |bits, x| bits | split(*x)[2]);
    if third & 0x7fff_0000 == 0 { 2 } else { 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(piece: u32) -> f32 {
        assert_eq!(piece & 0xffff, 0, "a bf16");
        f32::from_bits(piece)
    }

    /// Bits of f32 from all over.
    fn samples() -> impl Iterator<Item = f32> {
        let spread = (0u32..200_000).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761)));
        spread.chain([0.0, -0.0, 1.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e30, 1.0 + f32::EPSILON, 0.1])
    }

    #[test]
    fn the_pieces_are_the_number() {
        for x in samples().filter(|x| x.is_finite() && (*x == 0.0 || x.abs() >= 2f32.powi(-110))) {
            let [a, b, c] = split(x).map(back);
            assert_eq!(a + (b + c), x, "{a} {b} {c}");
            assert_eq!(f64::from(a) + f64::from(b) + f64::from(c), f64::from(x));
            assert!(b.abs() <= a.abs() / 128.0 && c.abs() <= b.abs() / 256.0, "{a} {b} {c}");
        }
    }

    #[test]
    fn tiny_numbers_lose_little() {
        for x in samples().filter(|x| x.abs() < 2f32.powi(-110)) {
            let sum: f64 = split(x).map(|piece| f64::from(back(piece))).iter().sum();
            assert!((sum - f64::from(x)).abs() < 2f64.powi(-133), "{x:e}");
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        assert_eq!(split(f32::INFINITY).map(back), [f32::INFINITY, 0.0, 0.0]);
        assert_eq!(split(f32::NEG_INFINITY).map(back), [f32::NEG_INFINITY, 0.0, 0.0]);
        for nan in [f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
            let [first, rest @ ..] = split(nan);
            assert!(back(first).is_nan());
            assert_eq!(rest, [0, 0]);
        }
    }

    #[test]
    fn pieces_are_counted() {
        assert_eq!(pieces(&[1.5, -0.0078125, f32::INFINITY]), 1);
        assert_eq!(pieces(&[1.5, 1.0 + 1.0 / 1024.0]), 2);
        assert_eq!(pieces(&[1.5, -65504.0 / 3.0]), 3);
        assert_eq!(pieces(&[0.1]), 3);
        assert_eq!(pieces(&[]), 1);
    }
}
