//! 4-bit floats in blocks of 32 that share a power of two, as gpt-oss checkpoints store their experts.
//!
//! A tensor `X_blocks` holds 16 bytes per block, two neighbouring weights to a byte, the first in the lower half; a byte of
//! `X_scales` is the block's exponent, 127 more than the power. Transformers turns them into a tensor `X` whose matrices
//! are transposed, and so do we: rows run across the blocks.

use super::MappedFile;
use super::content::Place;

/// Weights in a block.
pub const BLOCK: usize = 32;
/// Bytes of a block without its exponent.
pub const BLOCK_BYTES: usize = BLOCK / 2;
/// End of the names of tensors with blocks.
pub const BLOCKS: &str = "_blocks";
/// End of the names of tensors with exponents.
pub const SCALES: &str = "_scales";
/// The exponent byte that is no number.
const NO_NUMBER: u8 = 255;

/// The 16 numbers: a sign, two bits of exponent, one of mantissa.
const NUMBERS: [f32; 16] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// Weights of a stack of matrices as transformers has them: inputs are rows, while blocks lie along the inputs.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    /// All blocks without their exponents.
    pub blocks: &'a [u8],
    /// All exponents.
    pub scales: &'a [u8],
    /// Inputs of every matrix, a multiple of [`BLOCK`].
    pub inputs: usize,
}

impl Stack<'_> {
    /// One row, counting those of all matrices: the weights of one input for each of the outputs.
    pub fn unpack_row(&self, row: usize, out: &mut [f32]) {
        let (matrix, input) = (row / self.inputs, row % self.inputs);
        let per_output = self.inputs / BLOCK;
        let first = matrix * out.len() * per_output + input / BLOCK;
        let (byte, shift) = (input % BLOCK / 2, input % 2 * 4);
        for (output, out) in out.iter_mut().enumerate() {
            let block = first + output * per_output;
            let code = self.blocks[block * BLOCK_BYTES + byte] >> shift & 15;
            *out = NUMBERS[usize::from(code)] * power(self.scales[block]);
        }
    }
}

/// Two to the power that an exponent byte stands for.
fn power(exponent: u8) -> f32 {
    match exponent {
        NO_NUMBER => f32::NAN,
        // Below the smallest normal number by one.
        0 => f32::from_bits(1 << 22),
        _ => f32::from_bits(u32::from(exponent) << 23),
    }
}

/// The exponents of a tensor.
pub fn scales<'a>(files: &'a [MappedFile], place: &Place) -> &'a [u8] {
    &files[place.file].bytes()[place.range.clone()]
}

/// Shape of the weights behind blocks and exponents of these shapes, matrices transposed; `None` if they do not fit.
pub fn shape(blocks: &[u64], scales: &[u64]) -> Option<Vec<u64>> {
    let [matrices, outputs, in_row, bytes] = *blocks else { return None };
    let fits = bytes == BLOCK_BYTES as u64 && scales == [matrices, outputs, in_row] && !blocks.contains(&0);
    let inputs = in_row.checked_mul(BLOCK as u64).filter(|_| fits)?;
    // Bytes are counted in single precision later on.
    [matrices, inputs, outputs].iter().try_fold(4u64, |product, dim| product.checked_mul(*dim))?;
    Some(vec![matrices, inputs, outputs])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_run_across_the_blocks() {
        // Two matrices of two outputs with 64 inputs each.
        let blocks: Vec<u8> = (0..8 * BLOCK_BYTES).map(|i| (i * 37 % 251) as u8).collect();
        let scales: Vec<u8> = (120..128).collect();
        let stack = Stack { blocks: &blocks, scales: &scales, inputs: 64 };
        for row in 0..128 {
            let mut found = [0f32; 2];
            stack.unpack_row(row, &mut found);
            for (output, found) in found.into_iter().enumerate() {
                let element = (row / 64 * 2 + output) * 64 + row % 64;
                let code = blocks[element / 2] >> (element % 2 * 4) & 15;
                let expected = NUMBERS[usize::from(code)] * 2f32.powi(i32::from(scales[element / 32]) - 127);
                assert_eq!(found.to_bits(), expected.to_bits(), "row {row}, output {output}");
            }
        }
    }

    #[test]
    fn exponents_are_powers_from_end_to_end() {
        for exponent in 0..NO_NUMBER {
            assert_eq!(f64::from(power(exponent)), 2f64.powi(i32::from(exponent) - 127), "{exponent}");
        }
        assert!(power(255).is_nan());
    }

    #[test]
    fn shapes_that_do_not_fit_are_told() {
        assert_eq!(shape(&[2, 6, 3, 16], &[2, 6, 3]), Some(vec![2, 96, 6]));
        for (blocks, scales) in [
            (&[2, 6, 3, 16][..], &[2, 6, 4][..]),
            (&[2, 6, 3, 16], &[2, 6]),
            (&[2, 6, 3, 8], &[2, 6, 3]),
            (&[6, 3, 16], &[6, 3]),
            (&[0, 6, 3, 16], &[0, 6, 3]),
            (&[], &[]),
            (&[1 << 40, 1, 1 << 20, 16], &[1 << 40, 1, 1 << 20]),
        ] {
            assert_eq!(shape(blocks, scales), None, "{blocks:?} {scales:?}");
        }
    }
}
