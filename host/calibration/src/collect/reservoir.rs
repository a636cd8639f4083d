//! A few real rows, chosen by a hash of where they stand in the text.

use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use crate::record::Samples;

/// Keeps the rows with the smallest hashes of (text, feed, token). So the choice is the same however the rows are batched, and
/// the choice from two parts is the choice from the whole: what merging gives.
#[derive(Debug)]
pub(super) struct Reservoir {
    seed: u64,
    columns: usize,
    capacity: usize,
    /// The kept rows, the first to go on top: (priority, token, place in `values`).
    kept: BinaryHeap<(u64, u64, usize)>,
    values: Vec<f32>,
}

/// Seed of the choice for one text and feed (and expert).
pub(super) fn seed(text: &str, feed: &str, expert: Option<usize>) -> u64 {
    let mut hash = Sha256::new();
    // Lengths first, so that no two triples are the same bytes.
    for part in [text, feed] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(expert.map_or(u64::MAX, |expert| expert as u64).to_le_bytes());
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// SplitMix64's output function: a bijection, so tokens of one text never collide.
fn priority(seed: u64, token: u64) -> u64 {
    let mut z = seed.wrapping_add(token.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Reservoir {
    /// Bytes of one kept row beside its values.
    pub(super) const BYTES_PER_ROW: u64 = size_of::<(u64, u64, usize)>() as u64;

    pub(super) fn new(seed: u64, columns: usize, capacity: usize) -> Reservoir {
        let (kept, values) = (BinaryHeap::with_capacity(capacity), Vec::with_capacity(capacity * columns));
        Reservoir { seed, columns, capacity, kept, values }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.kept.capacity() as u64 * Reservoir::BYTES_PER_ROW + 4 * self.values.capacity() as u64
    }

    pub(super) fn offer(&mut self, token: u64, row: &[f32]) {
        let priority = priority(self.seed, token);
        let place = if self.kept.len() < self.capacity {
            self.values.extend_from_slice(row);
            self.kept.len()
        } else {
            match self.kept.peek() {
                Some(&(worst, _, place)) if priority < worst => {
                    self.kept.pop();
                    self.values[place * self.columns..][..self.columns].copy_from_slice(row);
                    place
                }
                _ => return,
            }
        };
        self.kept.push((priority, token, place));
    }

    /// The rows, smallest hash first.
    pub(super) fn finish(self) -> Samples {
        let mut samples = Samples::default();
        samples.values.reserve_exact(self.values.len());
        for (priority, token, place) in self.kept.into_sorted_vec() {
            samples.priorities.push(priority);
            samples.tokens.push(token);
            samples.values.extend_from_slice(&self.values[place * self.columns..][..self.columns]);
        }
        samples
    }
}
