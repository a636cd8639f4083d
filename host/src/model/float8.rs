//! 8-bit floating-point weights and the scales that give them their size.

use super::content::Place;
use super::{Dtype, MappedFile};
use half::f16;
use safetensors::Dtype as StoredDtype;
use std::sync::OnceLock;

/// The two 8-bit floats that checkpoints use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float8 {
    /// Four bits of exponent, three of mantissa, no infinity: `F8_E4M3`, torch's `float8_e4m3fn`.
    E4M3,
    /// Five bits of exponent, two of mantissa: `F8_E5M2`, the upper byte of a half.
    E5M2,
}

impl Float8 {
    /// The type behind a stored one.
    pub fn of_stored(stored: StoredDtype) -> Option<Float8> {
        match stored {
            StoredDtype::F8_E4M3 => Some(Float8::E4M3),
            StoredDtype::F8_E5M2 => Some(Float8::E5M2),
            _ => None,
        }
    }

    /// The number of every byte.
    fn numbers(self) -> &'static [f32; 256] {
        static NUMBERS: OnceLock<[[f32; 256]; 2]> = OnceLock::new();
        let both = NUMBERS.get_or_init(|| {
            let byte = |at: usize| at as u8;
            [std::array::from_fn(|at| e4m3(byte(at))), std::array::from_fn(|at| e5m2(byte(at)))]
        });
        match self {
            Float8::E4M3 => &both[0],
            Float8::E5M2 => &both[1],
        }
    }
}

fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let size = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2f32.powi(-9),
        _ => (8.0 + mantissa) * 2f32.powi(exponent - 10),
    };
    if byte & 0x80 != 0 { -size } else { size }
}

fn e5m2(byte: u8) -> f32 {
    f16::from_bits(u16::from(byte) << 8).to_f32()
}

/// Element type of scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleDtype {
    /// A number.
    Number(Dtype),
    /// A power of two (`F8_E8M0`).
    Exponent,
}

impl ScaleDtype {
    /// The type behind a stored one.
    pub fn of_stored(stored: StoredDtype) -> Option<ScaleDtype> {
        match stored {
            StoredDtype::F8_E8M0 => Some(ScaleDtype::Exponent),
            other => Dtype::of_stored(other).map(ScaleDtype::Number),
        }
    }

    fn size(self) -> usize {
        match self {
            ScaleDtype::Number(dtype) => dtype.size(),
            ScaleDtype::Exponent => 1,
        }
    }
}

/// Scales of one tensor: a grid over each of its matrices, one number per block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scales {
    /// Their bytes.
    pub place: Place,
    /// Their type.
    pub dtype: ScaleDtype,
    /// Rows of one matrix.
    pub matrix_rows: u64,
    /// Rows and columns of one block.
    pub block: [u64; 2],
    /// Rows and columns of the grid over one matrix.
    pub grid: [u64; 2],
}

impl Scales {
    /// The scales of a tensor of shape `weight`, stored in shape `scale`: one for all, one per row, one per matrix of a
    /// stack, or one per block. `None` where the two shapes do not fit.
    pub fn fit(
        weight: &[u64],
        scale: &[u64],
        block: Option<[u64; 2]>,
        place: Place,
        dtype: ScaleDtype,
    ) -> Option<Scales> {
        let (&columns, outer) = weight.split_last()?;
        let rows = outer.iter().product::<u64>().max(1);
        let columns = columns.max(1);
        let fitted = |matrix_rows, block, grid| Some(Scales { place, dtype, matrix_rows, block, grid });
        if scale.iter().product::<u64>() == 1 {
            return fitted(rows, [rows, columns], [1, 1]);
        }
        let (&matrix_rows, stack) = outer.split_last()?;
        if let (Some([height, width]), Some((scale_stack, &[down, across]))) = (block, scale.split_last_chunk::<2>())
            && scale_stack == stack
            && [down, across] == [matrix_rows.div_ceil(height), columns.div_ceil(width)]
        {
            return fitted(matrix_rows, [height, width], [down, across]);
        }
        // Dimensions of one element at the end stand for what the scale does not tell apart.
        let trimmed = &scale[..scale.iter().rposition(|d| *d != 1).map_or(0, |last| last + 1)];
        if trimmed == outer {
            return fitted(matrix_rows, [1, columns], [matrix_rows, 1]);
        }
        (!stack.is_empty() && trimmed == stack).then_some(())?;
        fitted(matrix_rows, [matrix_rows, columns], [1, 1])
    }

    /// One scale by its position.
    pub fn read(&self, files: &[MappedFile], at: u64) -> f32 {
        let size = self.dtype.size();
        let start = self.place.range.start + at as usize * size;
        let bytes = &files[self.place.file].bytes()[start..start + size];
        match self.dtype {
            ScaleDtype::Number(dtype) => {
                let mut number = [0f32];
                dtype.widen(bytes, &mut number);
                number[0]
            }
            ScaleDtype::Exponent if bytes[0] == u8::MAX => f32::NAN,
            ScaleDtype::Exponent => 2f32.powi(i32::from(bytes[0]) - 127),
        }
    }

    /// One row of weights times its scales: a single-precision product, as the reference converter computes it.
    pub fn scale_row(&self, files: &[MappedFile], float8: Float8, row: u64, stored: &[u8], out: &mut [f32]) {
        let numbers = float8.numbers();
        let [height, width] = self.block;
        let [down, across] = self.grid;
        let first = (row / self.matrix_rows * down + row % self.matrix_rows / height) * across;
        let blocks = stored.chunks(width as usize).zip(out.chunks_mut(width as usize));
        for (at, (stored, out)) in (first..).zip(blocks) {
            let scale = self.read(files, at);
            for (out, byte) in out.iter_mut().zip(stored) {
                *out = numbers[usize::from(*byte)] * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_types() {
        for (byte, number) in [(0x00, 0.0), (0x01, 1.0 / 512.0), (0x07, 7.0 / 512.0), (0x08, 1.0 / 64.0), (0x38, 1.0)] {
            assert_eq!(e4m3(byte), number);
            assert_eq!(e4m3(byte | 0x80), -number);
        }
        assert_eq!((e4m3(0x7e), e5m2(0x7b)), (448.0, 57344.0));
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan() && e5m2(0x7d).is_nan());
        assert_eq!((e5m2(0x3c), e5m2(0x01), e5m2(0xfc)), (1.0, 2f32.powi(-16), f32::NEG_INFINITY));
    }

    #[test]
    fn shapes_of_scales() {
        let block = Some([128, 64]);
        let fit = |weight: &[u64], scale: &[u64], block| {
            let place = Place { file: 0, range: 0..0 };
            let fitted = Scales::fit(weight, scale, block, place, ScaleDtype::Exponent)?;
            Some((fitted.matrix_rows, fitted.block, fitted.grid))
        };
        assert_eq!(fit(&[300, 100], &[], None), Some((300, [300, 100], [1, 1])));
        assert_eq!(fit(&[300, 100], &[1, 1], block), Some((300, [300, 100], [1, 1])));
        assert_eq!(fit(&[300, 100], &[3, 2], block), Some((300, [128, 64], [3, 2])));
        assert_eq!(fit(&[300, 100], &[300, 1], None), Some((300, [1, 100], [300, 1])));
        assert_eq!(fit(&[300, 100], &[300], None), Some((300, [1, 100], [300, 1])));
        assert_eq!(fit(&[4, 300, 100], &[4, 3, 2], block), Some((300, [128, 64], [3, 2])));
        assert_eq!(fit(&[4, 300, 100], &[4, 1, 1], block), Some((300, [300, 100], [1, 1])));
        assert_eq!(fit(&[4, 300, 100], &[4, 300, 1], None), Some((300, [1, 100], [300, 1])));
        for (weight, scale, block) in [
            (&[300, 100][..], &[3, 2][..], None),
            (&[300, 100], &[2, 2], block),
            (&[300, 100], &[1, 100], None),
            (&[300, 100], &[4, 3, 2], block),
            (&[300], &[300, 2], None),
        ] {
            assert_eq!(fit(weight, scale, block), None, "{weight:?} {scale:?}");
        }
    }
}
