//! Weights of three values, as BitNet checkpoints store and mean them.
//!
//! Packed: a byte holds four weights (value + 1, two bits each) of four rows a quarter of the matrix apart, and one
//! number gives all of them their size. Masters: ordinary numbers that the model rounds to three values each time it
//! runs; here they are rounded the same way, so that what is written is what the model computes with.

use super::content::Place;
use super::{Dtype, MappedFile};
use half::{bf16, f16};
use std::sync::OnceLock;

/// Weights in one byte.
pub const PER_BYTE: u64 = 4;
/// Smallest mean that training divides by.
const SMALLEST_MEAN: f32 = 1e-5;

/// How the stored number gives packed weights their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The number's bytes.
    pub place: Place,
    /// Its type.
    pub dtype: Dtype,
    /// Whether weights are divided by it (layers called `bitlinear`) instead of multiplied (`autobitlinear`).
    pub divides: bool,
}

impl Size {
    /// What the values -1, 0, 1 and the unused code stand for, by their code. The unused one is no number, so that a
    /// damaged byte is found where weights are checked.
    pub fn values(&self, files: &[MappedFile]) -> [f32; 4] {
        let mut number = [0f32];
        self.dtype.widen(&files[self.place.file].bytes()[self.place.range.clone()], &mut number);
        let size = |value: f32| if self.divides { value / number[0] } else { value * number[0] };
        [size(-1.0), size(0.0), size(1.0), f32::NAN]
    }
}

/// One row of a packed matrix. `packed` holds rows of `out.len()` bytes, a quarter as many as the matrix has.
pub fn unpack_row(packed: &[u8], row: usize, values: [f32; 4], out: &mut [f32]) {
    let band = packed.len() / out.len().max(1);
    let (shift, first) = (row / band.max(1) * 2, row % band.max(1) * out.len());
    for (out, byte) in out.iter_mut().zip(&packed[first..]) {
        *out = values[usize::from(byte >> shift & 3)];
    }
}

/// The level of a matrix of master weights, computed once.
#[derive(Debug, Default)]
pub struct Level(OnceLock<f32>);

impl Level {
    /// Mean of all sizes, not below the smallest. `rows` calls back with every row. Sums are taken in double
    /// precision; torch adds single-precision numbers in an order of its own, so the last bit may differ.
    pub fn get(&self, rows: impl FnOnce(&mut dyn FnMut(&[f32]))) -> f32 {
        *self.0.get_or_init(|| {
            let (mut sum, mut count) = (0f64, 0u64);
            rows(&mut |row| {
                sum += row.iter().map(|w| f64::from(w.abs())).sum::<f64>();
                count += row.len() as u64;
            });
            ((sum / count.max(1) as f64) as f32).max(SMALLEST_MEAN)
        })
    }
}

/// Rounds master weights to three values, in the steps that training uses, and to the type that they are stored in.
pub fn round_to_three(level: f32, dtype: Dtype, row: &mut [f32]) {
    let inverse = 1.0 / level;
    for weight in row {
        let value = (*weight * inverse).round_ties_even().clamp(-1.0, 1.0) / inverse;
        *weight = match dtype {
            Dtype::BF16 => bf16::from_f32(value).to_f32(),
            Dtype::F16 => f16::from_f32(value).to_f32(),
            Dtype::F32 | Dtype::F64 => value,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bands_of_rows() {
        // Eight rows of three: byte r*3+c holds rows r, r+2, r+4, r+6.
        let code = |row: usize, column: usize| ((row * 3 + column * 2) % 3) as u8;
        let mut packed = [0u8; 6];
        for row in 0..8 {
            for column in 0..3 {
                packed[row % 2 * 3 + column] |= code(row, column) << (row / 2 * 2);
            }
        }
        for row in 0..8 {
            let mut out = [0f32; 3];
            unpack_row(&packed, row, [-2.0, 0.0, 2.0, f32::NAN], &mut out);
            let expected: Vec<f32> = (0..3).map(|column| f32::from(code(row, column)) * 2.0 - 2.0).collect();
            assert_eq!(out[..], expected[..], "row {row}");
        }
    }

    #[test]
    fn masters_are_rounded_at_their_mean() {
        let level = Level::default().get(|row| {
            row(&[1.0, -2.0]);
            row(&[0.5, 0.5]);
        });
        assert_eq!(level, 1.0);
        let mut row = [0.5, 0.51, -0.5, 1.5, -7.0, 0.0];
        round_to_three(level, Dtype::F32, &mut row);
        assert_eq!(row, [0.0, 1.0, 0.0, 1.0, -1.0, 0.0]);
        let mut row = [0.3];
        round_to_three(0.3, Dtype::BF16, &mut row);
        assert_eq!(row, [bf16::from_f32(0.3).to_f32()]);
        assert_eq!(Level::default().get(|row| row(&[0.0])), SMALLEST_MEAN);
    }
}
