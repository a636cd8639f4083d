//! Streams of small integers in 32-bit words, lowest bits first: the one layout behind GPTQ and compressed-tensors.
//!
//! Code `i` of `bits` bits takes bits `i * bits ..` of the stream; bit `k` of the stream is bit `k % 32` of word `k / 32`.
//! For 2, 4 and 8 bits no code crosses a word. For 3 bits two of each 32 do, which gives the three words that
//! gptqmodel writes out case by case.

/// Widths that streams have here.
pub const WIDTHS: std::ops::RangeInclusive<u32> = 1..=8;

/// Words of a stream of `count` codes; `None` if it does not end with a whole word or is too long.
pub fn words(count: usize, bits: u32) -> Option<usize> {
    let length = count.checked_mul(bits as usize)?;
    (WIDTHS.contains(&bits) && length.is_multiple_of(32)).then_some(length / 32)
}

/// Packs codes, each below `2^bits`. `put` takes every word with its number, in order; bits beyond the last code are zero.
pub fn pack(codes: impl Iterator<Item = u8>, bits: u32, mut put: impl FnMut(usize, u32)) {
    let (mut held, mut length, mut word) = (0u64, 0, 0);
    for code in codes {
        held |= u64::from(code) << length;
        length += bits;
        if length >= 32 {
            put(word, held as u32);
            word += 1;
            held >>= 32;
            length -= 32;
        }
    }
    if length > 0 {
        put(word, held as u32);
    }
}

/// Unpacks as many codes as `out` holds. `word` gives the words by number; it is asked for each once, in order.
pub fn unpack(word: impl Fn(usize) -> u32, bits: u32, out: &mut [u8]) {
    let mask = (1u64 << bits) - 1;
    let (mut held, mut length, mut next) = (0u64, 0, 0);
    for code in out {
        if length < bits {
            held |= u64::from(word(next)) << length;
            next += 1;
            length += 32;
        }
        *code = (held & mask) as u8;
        held >>= bits;
        length -= bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(codes: &[u8], bits: u32) -> Vec<u32> {
        let mut words = Vec::new();
        pack(codes.iter().copied(), bits, |number, word| {
            assert_eq!(number, words.len());
            words.push(word);
        });
        words
    }

    #[test]
    fn three_bits_cross_words_as_the_format_says() {
        let codes: Vec<u8> = (0..32).map(|i| (i * 5 % 8) as u8).collect();
        let code = |i: usize| u32::from(codes[i]);
        let run = |from: usize, to: usize, shift: usize| {
            (from..to).fold(0, |word, i| word | code(i) << (3 * (i - from) + shift))
        };
        let expected = [
            run(0, 10, 0) | (code(10) & 3) << 30,
            code(10) >> 2 | run(11, 21, 1) | (code(21) & 1) << 31,
            code(21) >> 1 | run(22, 32, 2),
        ];
        assert_eq!(packed(&codes, 3), expected);
    }

    #[test]
    fn four_bits_are_nibbles_lowest_first() {
        assert_eq!(packed(&[1, 2, 3, 4, 5, 6, 7, 8], 4), [0x8765_4321]);
        assert_eq!(words(8, 4), Some(1));
        assert_eq!((words(7, 4), words(32, 3), words(16, 3), words(8, 9)), (None, Some(3), None, None));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(bits in WIDTHS, runs in 1usize..4, seed: u64) {
            let mut state = seed;
            let codes: Vec<u8> = (0..32 * runs).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 40) & ((1 << bits) - 1)) as u8
            }).collect();
            let words = packed(&codes, bits);
            prop_assert_eq!(Some(words.len()), super::words(codes.len(), bits));
            let mut back = vec![0; codes.len()];
            unpack(|number| words[number], bits, &mut back);
            prop_assert_eq!(back, codes);
        }
    }
}
