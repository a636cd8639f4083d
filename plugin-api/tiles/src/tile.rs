//! A tile: what one register holds, as it lies in memory.

use bytemuck::{Pod, Zeroable};

/// Rows of a tile.
pub(crate) const ROWS: usize = 16;

/// Summands of a tile, and of a step.
pub(crate) const DEPTH: usize = 32;

/// Rows of a block: two tiles.
pub(crate) const BLOCK: usize = 2 * ROWS;

/// A tile as it lies in memory: lines of the cache, so that none is read twice.
///
/// On the left a line is a row: 32 summands. On the right it is two summands of 16 columns, beside each other for each
/// column. In 32-bit words, one is the other transposed.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Tile(pub(crate) [[u16; DEPTH]; ROWS]);

/// The 32-bit words of a tile.
type Words = [[u32; ROWS]; ROWS];

impl Tile {
    /// Makes a tile of one side one of the other.
    #[inline]
    pub(crate) fn transposed(&self) -> Tile {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions, as was just asked.
            return unsafe { avx512::transposed(self) };
        }
        self.by_squares()
    }

    /// Exchanges ever smaller squares.
    fn by_squares(&self) -> Tile {
        let mut words: Words = bytemuck::cast(self.0);
        square::<8>(&mut words);
        square::<4>(&mut words);
        square::<2>(&mut words);
        square::<1>(&mut words);
        Tile(bytemuck::cast(words))
    }
}

/// Exchanges the squares of `SIDE` words beside the diagonal.
fn square<const SIDE: usize>(words: &mut Words) {
    for row in (0..ROWS).filter(|row| row & SIDE == 0) {
        let (upper, lower) = (words[row], words[row + SIDE]);
        words[row] = std::array::from_fn(|c| if c & SIDE == 0 { upper[c] } else { lower[c ^ SIDE] });
        words[row + SIDE] = std::array::from_fn(|c| if c & SIDE == 0 { upper[c ^ SIDE] } else { lower[c] });
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    //! Sixteen registers, exchanged in four rounds. Left to the compiler it takes seven times as long.

    use super::{DEPTH, ROWS, Tile};
    use core::arch::x86_64::{
        __m512i, _mm512_load_si512, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_store_si512,
        _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    };

    #[target_feature(enable = "avx512f")]
    pub(super) fn transposed(tile: &Tile) -> Tile {
        let mut rows = [_mm512_setzero_si512(); ROWS];
        for (row, line) in rows.iter_mut().zip(&tile.0) {
            // SAFETY: a line is 64 bytes, and a tile is aligned to them.
            *row = unsafe { _mm512_load_si512(line.as_ptr().cast()) };
        }
        // Within quarters of a register: words of two rows, then pairs of words of four.
        let mut pairs = rows;
        for at in (0..ROWS).step_by(2) {
            pairs[at] = _mm512_unpacklo_epi32(rows[at], rows[at + 1]);
            pairs[at + 1] = _mm512_unpackhi_epi32(rows[at], rows[at + 1]);
        }
        let mut fours = pairs;
        for at in (0..ROWS).step_by(4) {
            for half in 0..2 {
                let (upper, lower) = (pairs[at + half], pairs[at + half + 2]);
                fours[at + 2 * half] = _mm512_unpacklo_epi64(upper, lower);
                fours[at + 2 * half + 1] = _mm512_unpackhi_epi64(upper, lower);
            }
        }
        // Quarters: register 4 i + k holds column 4 q + k of rows 4 i to 4 i + 3 in quarter q.
        let mut columns = fours;
        for k in 0..4 {
            let (a, b) = (even(fours[k], fours[4 + k]), odd(fours[k], fours[4 + k]));
            let (c, d) = (even(fours[8 + k], fours[12 + k]), odd(fours[8 + k], fours[12 + k]));
            (columns[k], columns[4 + k]) = (even(a, c), even(b, d));
            (columns[8 + k], columns[12 + k]) = (odd(a, c), odd(b, d));
        }
        let mut out = Tile([[0; DEPTH]; ROWS]);
        for (column, line) in columns.iter().zip(&mut out.0) {
            // SAFETY: as above.
            unsafe { _mm512_store_si512(line.as_mut_ptr().cast(), *column) };
        }
        out
    }

    /// Quarters 0 and 2 of both.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn even(one: __m512i, two: __m512i) -> __m512i {
        _mm512_shuffle_i32x4::<0x88>(one, two)
    }

    /// Quarters 1 and 3 of both.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn odd(one: __m512i, two: __m512i) -> __m512i {
        _mm512_shuffle_i32x4::<0xdd>(one, two)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let tile = Tile(std::array::from_fn(|row| std::array::from_fn(|at| (100 * row + at) as u16)));
        let turned = tile.transposed();
        for (row, line) in tile.0.iter().enumerate() {
            for (at, value) in line.iter().enumerate() {
                assert_eq!(turned.0[at / 2][2 * row + at % 2], *value, "{row} {at}");
            }
        }
        assert_eq!((turned, turned.transposed()), (tile.by_squares(), tile));
    }
}
