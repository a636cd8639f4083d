//! The order of a shuffle: the same for a seed on every machine and in every version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The numbers `0..length` in the order that `seed` gives.
///
/// Fisher-Yates from the end: for `i` from `length - 1` down to 1, the element at `i` changes places with the one at
/// `(r * (i + 1)) >> 64`, where `r` is the next 64-bit word (low half first) of ChaCha8 under a key of the seed's 8
/// bytes, little-endian, and 24 zero bytes, with nonce and counter 0. Spelled out, because published results name seeds.
pub fn order(length: usize, seed: u64) -> Vec<usize> {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut words = ChaCha8Rng::from_seed(key);
    let mut order: Vec<usize> = (0..length).collect();
    for i in (1..length).rev() {
        let place = (u128::from(words.next_u64()) * (i as u128 + 1)) >> 64;
        order.swap(i, place as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_of_an_independent_chacha() {
        // Made with a second implementation of ChaCha8 and of the description above, in Python.
        assert_eq!(order(10, 0), [9, 2, 3, 4, 6, 7, 0, 1, 5, 8]);
        assert_eq!(order(20, 42), [10, 9, 4, 14, 0, 15, 12, 2, 7, 11, 17, 18, 3, 16, 1, 13, 19, 8, 5, 6]);
        assert_eq!(order(4, u64::MAX), [3, 1, 0, 2]);
    }

    #[test]
    fn every_number_stands_once() {
        let mut order = order(1000, 7);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        assert!(super::order(0, 7).is_empty());
    }
}
