//! Numbers cut into pieces of bf16 and those into tiles, in the order in which the kernel reads them.
//!
//! Two tiles, side by side in what is summed over or not, make the 32 rows (or columns) of a cell; a step of the kernel
//! reads them for each piece:
//!
//! ```text
//! block of 32 rows > step of 32 summands > piece > half of the block: a tile
//! ```
//!
//! What is beyond the last row and the last summand is zero.

use bytemuck::Zeroable;
use faer::MatRef;
use std::ops::Range;

use crate::lanes::widest;
use crate::split::{pieces, split};
use crate::tile::{BLOCK, DEPTH, ROWS, Tile};

/// Numbers in lines: those of a line lie beside each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a>(MatRef<'a, f32>);

impl<'a> Lines<'a> {
    /// Some numbers of a line; none beyond the last line.
    #[inline(always)]
    fn of(self, line: usize, numbers: Range<usize>) -> &'a [f32] {
        if line >= self.0.nrows() {
            return &[];
        }
        assert!(numbers.start <= numbers.end && numbers.end <= self.0.ncols(), "numbers {numbers:?} of a line");
        // SAFETY: the matrix is borrowed for 'a and has this line and these numbers, which lie beside each other.
        unsafe {
            std::slice::from_raw_parts(
                self.0.as_ptr().offset(line as isize * self.0.row_stride()).add(numbers.start),
                numbers.len(),
            )
        }
    }
}

/// The numbers of a factor, by what lies beside each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The summands of a row.
    Rows(Lines<'a>),
    /// A summand of all rows.
    Summands(Lines<'a>),
}

impl<'a> Source<'a> {
    /// A matrix with a row for every row (or column) of the factor, and a column for each summand.
    ///
    /// # Panics
    /// If there are no summands, or numbers lie side by side in neither direction.
    pub(crate) fn of(matrix: MatRef<'a, f32>) -> Source<'a> {
        assert!(matrix.ncols() > 0, "a factor without summands");
        if matrix.col_stride() == 1 || matrix.ncols() == 1 {
            return Source::Rows(Lines(matrix));
        }
        assert!(
            matrix.row_stride() == 1 || matrix.nrows() <= 1,
            "numbers lie {} and {} apart",
            matrix.row_stride(),
            matrix.col_stride()
        );
        Source::Summands(Lines(matrix.transpose()))
    }

    /// How many pieces hold all numbers exactly, at most so many.
    pub(crate) fn pieces(self, most: usize) -> usize {
        let (Source::Rows(lines) | Source::Summands(lines)) = self;
        let mut count = 1;
        widest(
            #[inline(always)]
            || {
                for line in 0..lines.0.nrows() {
                    count = count.max(pieces(lines.of(line, 0..lines.0.ncols())));
                    if count >= most {
                        break;
                    }
                }
            },
        );
        count.min(most)
    }
}

/// A block of a factor that is to be filled: no two share memory, so threads may take them in any order.
#[derive(Debug)]
#[must_use = "a block that is not filled holds any numbers"]
pub struct Part<'a> {
    source: Source<'a>,
    /// First row.
    first: usize,
    pieces: usize,
    /// Whether it is of the side on which the source's lines stand across.
    turned: bool,
    tiles: &'a mut [Tile],
}

/// The blocks of a factor.
pub(crate) fn parts<'a>(
    source: Source<'a>,
    right: bool,
    pieces: usize,
    block: usize,
    tiles: &'a mut [Tile],
) -> Vec<Part<'a>> {
    let turned = right == matches!(source, Source::Rows(_));
    let blocks = tiles.chunks_exact_mut(block).enumerate();
    blocks.map(|(number, tiles)| Part { source, first: number * BLOCK, pieces, turned, tiles }).collect()
}

impl Part<'_> {
    /// Cuts the numbers.
    pub fn fill(self) {
        let Part { source, first, pieces, turned, tiles } = self;
        widest(
            #[inline(always)]
            || {
                match (source, pieces) {
                    (Source::Rows(lines), 1) => block_of_rows::<1>(lines, first, tiles),
                    (Source::Rows(lines), 2) => block_of_rows::<2>(lines, first, tiles),
                    (Source::Rows(lines), _) => block_of_rows::<3>(lines, first, tiles),
                    (Source::Summands(lines), 1) => block_of_summands::<1>(lines, first, tiles),
                    (Source::Summands(lines), 2) => block_of_summands::<2>(lines, first, tiles),
                    (Source::Summands(lines), _) => block_of_summands::<3>(lines, first, tiles),
                }
                if turned {
                    for tile in tiles.iter_mut() {
                        *tile = tile.transposed();
                    }
                }
            },
        );
    }
}

/// So many tiles of any content. Memory only grows: matrices of all sizes take turns in it, and clearing it for each
/// would cost as much as filling it.
pub(crate) fn room(tiles: &mut Vec<Tile>, count: usize) -> &mut [Tile] {
    if tiles.len() < count {
        // What is there need not be copied to another place.
        tiles.clear();
        tiles.reserve_exact(count);
        tiles.resize(count, Tile::zeroed());
    }
    &mut tiles[..count]
}

/// 32 numbers where they lie, or fewer of them and zeros. Copied, even a whole line would be a call.
#[inline(always)]
fn line<'a>(values: &'a [f32], padded: &'a mut [f32; DEPTH]) -> &'a [f32; DEPTH] {
    if let Ok(whole) = values.try_into() {
        return whole;
    }
    padded[..values.len()].copy_from_slice(values);
    padded
}

/// At most 32 rows, each number in so many pieces, a line of a tile for 32 summands of a row.
#[inline(always)]
fn block_of_rows<const PIECES: usize>(lines: Lines<'_>, first: usize, tiles: &mut [Tile]) {
    let summands = lines.0.ncols();
    for (step, tiles) in tiles.chunks_exact_mut(2 * PIECES).enumerate() {
        let places = step * DEPTH..summands.min((step + 1) * DEPTH);
        for number in 0..BLOCK {
            let mut padded = [0.0; DEPTH];
            let values = line(lines.of(first + number, places.clone()), &mut padded);
            let mut cut = [[0; DEPTH]; 3];
            for (at, x) in values.iter().enumerate() {
                let pieces = split(*x);
                for piece in 0..PIECES {
                    cut[piece][at] = (pieces[piece] >> 16) as u16;
                }
            }
            for (piece, line) in cut.iter().enumerate().take(PIECES) {
                tiles[2 * piece + number / ROWS].0[number % ROWS] = *line;
            }
        }
    }
}

/// At most 32 rows, of which a line has one summand.
#[inline(always)]
fn block_of_summands<const PIECES: usize>(lines: Lines<'_>, first: usize, tiles: &mut [Tile]) {
    let rows = first..lines.0.ncols().min(first + BLOCK);
    for (step, tiles) in tiles.chunks_exact_mut(2 * PIECES).enumerate() {
        step_of_pairs::<PIECES>(
            #[inline(always)]
            |summand| lines.of(summand, rows.clone()),
            step,
            tiles,
        );
    }
}

/// A step of at most 32 rows: a line of a tile for two summands of 16 rows. `summand` gives all rows of one, none beyond the
/// last.
#[inline(always)]
pub(crate) fn step_of_pairs<'a, const PIECES: usize>(
    summand: impl Fn(usize) -> &'a [f32],
    step: usize,
    tiles: &mut [Tile],
) {
    for pair in 0..ROWS {
        let mut padded = [[0.0; BLOCK]; 2];
        let [first, second] = &mut padded;
        let even = line(summand(step * DEPTH + 2 * pair), first);
        let odd = line(summand(step * DEPTH + 2 * pair + 1), second);
        let mut words = [[0u32; BLOCK]; 3];
        for at in 0..BLOCK {
            let (even, odd) = (split(even[at]), split(odd[at]));
            for piece in 0..PIECES {
                words[piece][at] = even[piece] >> 16 | odd[piece];
            }
        }
        for (piece, words) in words.iter().enumerate().take(PIECES) {
            let (left, right) = words.split_at(ROWS);
            for (half, words) in [left, right].into_iter().enumerate() {
                let words: &[u32; ROWS] = words.try_into().expect("half of the words");
                tiles[2 * piece + half].0[pair] = bytemuck::cast(*words);
            }
        }
    }
}
