//! What is kept of a finished unit: what the backend said, and checksums of the weights that it handed back.

use llmq_plugin_api::wire::UnitReport;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A finished unit.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// What the backend said.
    pub report: UnitReport,
    /// What it handed back, by tensor.
    pub fed: BTreeMap<u32, Fed>,
}

/// Rows of one tensor as the output is to reproduce them: how many, and the sum of their checksums, so that neither order
/// nor cut matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fed {
    /// Rows.
    pub rows: u64,
    /// Sum of the XXH3-64 of every row, seeded with its number.
    pub sum: u64,
}

impl Fed {
    /// Adds whole rows of `columns` values. Zeros of either sign count as the same.
    pub fn add(&mut self, first_row: u64, values: &[f32], columns: usize) {
        let mut row = vec![0f32; columns];
        for (number, values) in (first_row..).zip(values.chunks_exact(columns.max(1))) {
            row.iter_mut().zip(values).for_each(|(row, value)| *row = value + 0.0);
            self.rows += 1;
            self.sum = self.sum.wrapping_add(xxh3_64_with_seed(bytemuck::cast_slice(&row), number));
        }
    }

    /// Adds what was summed up elsewhere.
    pub fn join(&mut self, other: Fed) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(parts: &[(u64, &[f32])]) -> Fed {
        let mut fed = Fed::default();
        parts.iter().for_each(|(first, values)| fed.add(*first, values, 2));
        fed
    }

    #[test]
    fn order_and_cut_do_not_matter_but_places_and_bits_do() {
        let whole = fed(&[(0, &[1.0, 2.0, 3.0, 4.0, 0.0, 5.0])]);
        assert_eq!(fed(&[(2, &[-0.0, 5.0]), (0, &[1.0, 2.0, 3.0, 4.0])]), whole);
        let mut joined = fed(&[(1, &[3.0, 4.0])]);
        joined.join(fed(&[(2, &[0.0, 5.0]), (0, &[1.0, 2.0])]));
        assert_eq!(joined, whole);
        assert_ne!(fed(&[(0, &[3.0, 4.0, 1.0, 2.0, 0.0, 5.0])]), whole);
        assert_ne!(fed(&[(0, &[1.0, 2.0, 3.0, 4.0, 0.0, 5.0000005])]), whole);
        assert_ne!(fed(&[(0, &[1.0, 2.0, 3.0, 4.0])]), whole);
    }
}
