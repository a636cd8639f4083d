//! Matrices of codes, zeros and scales as the format stores them, both ways.
//!
//! Of a matrix of N outputs and K inputs: `qweight` `[K * bits / 32, N]`, packed along the inputs; `qzeros`
//! `[groups, N * bits / 32]`, packed along the outputs; both streams with the lowest bits first. 32 codes fill `bits` whole
//! words at every width, so a matrix is handled in runs of 32 inputs.

use crate::choices::Zeros;
use llmq_linear_grids::packing;

/// Codes that fill whole words at every width.
pub const RUN: usize = 32;

/// `bits` rows of qweight: inputs `32 * run ..` of all outputs. `codes` is `[outputs, columns]`; `out` is cleared.
pub fn pack_run(codes: &[u8], columns: usize, run: usize, bits: u32, out: &mut Vec<u8>) {
    let outputs = codes.len() / columns;
    out.clear();
    out.resize(outputs * bits as usize * 4, 0);
    for (output, codes) in codes.chunks_exact(columns).enumerate() {
        let codes = codes[run * RUN..(run + 1) * RUN].iter().copied();
        packing::pack(codes, bits, |word, value| {
            let at = (word * outputs + output) * 4;
            out[at..at + 4].copy_from_slice(&value.to_le_bytes());
        });
    }
}

/// One row of qzeros: the zeros of one group for all outputs.
///
/// Zeros less one are whole words less one in every field, borrowed across fields: what GPTQModel does and undoes. No
/// field borrows where no zero is 0, and then every reader agrees.
pub fn pack_zeros(zeros: impl Iterator<Item = u8>, bits: u32, form: Zeros) -> Vec<u8> {
    let mut bytes = Vec::new();
    let less = |zero: u8| match form {
        Zeros::LessOne if bits == 3 => zero.wrapping_sub(1) & 7,
        _ => zero,
    };
    packing::pack(zeros.map(less), bits, |_, word| {
        let word = if form == Zeros::LessOne { word.wrapping_sub(ones(bits)) } else { word };
        bytes.extend(word.to_le_bytes());
    });
    bytes
}

/// Unpacks some zeros of a row of qzeros. `word` gives the words of the row by number.
pub fn unpack_zeros(word: impl Fn(usize) -> u32, bits: u32, form: Zeros, out: &mut [u8]) {
    let less_one = form == Zeros::LessOne;
    packing::unpack(|number| word(number).wrapping_add(if less_one { ones(bits) } else { 0 }), bits, out);
    if less_one && bits == 3 {
        out.iter_mut().for_each(|zero| *zero = (*zero + 1) & 7);
    }
}

/// A word with 1 in every field; 0 for 3 bits, whose fields cross words.
fn ones(bits: u32) -> u32 {
    match bits {
        2 => 0x5555_5555,
        4 => 0x1111_1111,
        8 => 0x0101_0101,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8]) -> Vec<u32> {
        bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn codes_of_four_bits_lie_along_the_inputs() {
        let codes: Vec<u8> = (0..2 * 64).map(|i| (i % 16) as u8).collect();
        let mut out = Vec::new();
        pack_run(&codes, 64, 1, 4, &mut out);
        let out = words(&out);
        // Word [row, output]: row r holds inputs 32 + 8r .. of that output.
        assert_eq!(out.len(), 4 * 2);
        assert_eq!(out[..4], [0x7654_3210, 0x7654_3210, 0xfedc_ba98, 0xfedc_ba98]);
    }

    #[test]
    fn every_width_comes_back() {
        let (outputs, columns) = (5, 64);
        for bits in [2, 3, 4, 8] {
            let codes: Vec<u8> = (0..outputs * columns).map(|i| ((i * 37 + i / 7) % (1 << bits)) as u8).collect();
            let mut stored = Vec::new();
            for run in 0..columns / RUN {
                let mut out = Vec::new();
                pack_run(&codes, columns, run, bits, &mut out);
                stored.extend(words(&out));
            }
            assert_eq!(Some(stored.len()), packing::words(columns, bits).map(|words| words * outputs));
            for output in 0..outputs {
                let mut row = vec![0; columns];
                packing::unpack(|word| stored[word * outputs + output], bits, &mut row);
                assert_eq!(row, codes[output * columns..(output + 1) * columns], "{bits} bits");
            }
        }
    }

    #[test]
    fn zeros_come_back_in_both_forms() {
        for bits in [2u32, 3, 4, 8] {
            let most = (1u32 << bits) - 1;
            let zeros: Vec<u8> = (0..64u32).map(|i| (i * 7 % (most + 1)) as u8).collect();
            assert!(zeros.contains(&0), "borrowing is tried");
            for form in [Zeros::LessOne, Zeros::AsTheyAre] {
                let stored = words(&pack_zeros(zeros.iter().copied(), bits, form));
                let mut back = vec![0; zeros.len()];
                unpack_zeros(|word| stored[word], bits, form, &mut back);
                // A borrow out of a word's last field is lost and comes back as the word's overflow.
                assert_eq!(back, zeros, "{bits} bits, {form:?}");
            }
        }
    }

    #[test]
    fn symmetric_zeros_are_the_words_that_every_tool_writes() {
        assert_eq!(words(&pack_zeros([8; 8].into_iter(), 4, Zeros::LessOne)), [0x7777_7777]);
        assert_eq!(words(&pack_zeros([8; 8].into_iter(), 4, Zeros::AsTheyAre)), [0x8888_8888]);
        assert_eq!(words(&pack_zeros([2; 16].into_iter(), 2, Zeros::LessOne)), [0x5555_5555]);
        assert_eq!(words(&pack_zeros([128; 4].into_iter(), 8, Zeros::LessOne)), [0x7f7f_7f7f]);
        let three = words(&pack_zeros([4; 32].into_iter(), 3, Zeros::LessOne));
        assert_eq!(three.iter().map(|word| word.count_ones()).sum::<u32>(), 64, "a field of 3 has two bits");
    }
}
