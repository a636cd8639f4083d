//! Words of codes and zeros in the order of the format, both ways.
//!
//! Of a matrix of N outputs and K inputs: `qweight` `[K, N / 8]`, `qzeros` `[groups, N / 8]`, both packed along the outputs.
//! Bits `4i..4i+4` of word `c` hold output `8c + ORDER[i]`: what AutoAWQ's kernels unpack two at a time.

/// Outputs of a word.
pub const WORD: usize = 8;
/// Which of its eight outputs each nibble of a word holds, lowest first.
const ORDER: [usize; WORD] = [0, 2, 4, 6, 1, 3, 5, 7];
/// The nibble of each output of a word.
const PLACE: [u32; WORD] = [0, 4, 1, 5, 2, 6, 3, 7];

/// The word of eight outputs.
pub fn word(code: impl Fn(usize) -> u8) -> u32 {
    ORDER.iter().enumerate().fold(0, |word, (place, output)| word | u32::from(code(*output) & 15) << (4 * place))
}

/// The code of one of a word's outputs.
pub fn code(word: u32, output: usize) -> u8 {
    (word >> (4 * PLACE[output % WORD]) & 15) as u8
}

/// Rows `inputs` of qweight. `codes` is `[outputs, columns]`.
pub fn pack_inputs(codes: &[u8], columns: usize, inputs: std::ops::Range<usize>) -> Vec<u8> {
    let words = codes.len() / columns / WORD;
    let mut bytes = vec![0; inputs.len() * words * 4];
    // Eight outputs at a time: neighbouring inputs lie beside each other.
    for (number, codes) in codes.chunks_exact(columns * WORD).enumerate() {
        for (row, input) in inputs.clone().enumerate() {
            let at = (row * words + number) * 4;
            bytes[at..at + 4].copy_from_slice(&word(|output| codes[output * columns + input]).to_le_bytes());
        }
    }
    bytes
}

/// One row of qzeros: the zeros of one group, a multiple of eight.
pub fn pack_zeros(zeros: &[u8]) -> Vec<u8> {
    zeros.chunks_exact(WORD).flat_map(|zeros| word(|output| zeros[output]).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_lie_as_autoawq_has_them() {
        assert_eq!(word(|output| output as u8), 0x7531_6420);
        assert_eq!(pack_zeros(&[8; 8]), 0x8888_8888u32.to_le_bytes());
        for output in 0..8 {
            assert_eq!(code(0x7531_6420, output), output as u8);
            assert_eq!(ORDER[PLACE[output] as usize], output);
        }
    }

    #[test]
    fn codes_lie_along_the_outputs() {
        let (outputs, columns) = (16, 6);
        let codes: Vec<u8> = (0..outputs * columns).map(|i| (i * 7 % 16) as u8).collect();
        let bytes = [pack_inputs(&codes, columns, 0..4), pack_inputs(&codes, columns, 4..6)].concat();
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        for output in 0..outputs {
            for input in 0..columns {
                assert_eq!(code(words[input * 2 + output / 8], output), codes[output * columns + input]);
            }
        }
    }
}
