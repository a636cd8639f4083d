//! Which bytes of a slot were written: each exactly once, in any order, from any thread.

use std::collections::BTreeMap;

/// Written ranges of one slot, neighbours merged, so that rows written in parallel leave a short list.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Start to end.
    ranges: BTreeMap<u64, u64>,
}

impl Coverage {
    /// Notes `start..end` as written. Returns the first byte that already was, if any, and notes nothing then.
    pub fn add(&mut self, mut start: u64, mut end: u64) -> Result<(), u64> {
        if start >= end {
            return Ok(());
        }
        let before = self.ranges.range(..=start).next_back().map(|(s, e)| (*s, *e));
        if let Some((_, before_end)) = before.filter(|(_, e)| *e > start) {
            debug_assert!(before_end > start);
            return Err(start);
        }
        let after = self.ranges.range(start..).next().map(|(s, e)| (*s, *e));
        if let Some((after_start, _)) = after.filter(|(s, _)| *s < end) {
            return Err(after_start);
        }
        if let Some((before_start, _)) = before.filter(|(_, e)| *e == start) {
            start = before_start;
        }
        if let Some((after_start, after_end)) = after.filter(|(s, _)| *s == end) {
            self.ranges.remove(&after_start);
            end = after_end;
        }
        self.ranges.insert(start, end);
        Ok(())
    }

    /// The first byte of `0..length` that was not written.
    pub fn first_gap(&self, length: u64) -> Option<u64> {
        let covered = self.ranges.get(&0).copied().unwrap_or(0);
        (covered < length).then_some(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gaps_and_repeats() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.first_gap(0), None);
        assert_eq!(coverage.first_gap(1), Some(0));
        coverage.add(10, 20).unwrap();
        coverage.add(0, 5).unwrap();
        assert_eq!(coverage.first_gap(20), Some(5));
        assert_eq!(coverage.add(4, 6), Err(4));
        assert_eq!(coverage.add(5, 11), Err(10));
        assert_eq!(coverage.add(12, 13), Err(12));
        coverage.add(7, 7).unwrap();
        coverage.add(5, 10).unwrap();
        assert_eq!(coverage.first_gap(20), None);
        assert_eq!(coverage.ranges.len(), 1);
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_flags(writes in prop::collection::vec((0u64..40, 0u64..12), 0..40)) {
            let mut flags = [false; 64];
            let mut coverage = Coverage::default();
            for (start, length) in writes {
                let range = start as usize..(start + length) as usize;
                let taken = range.clone().find(|i| flags[*i]).map(|i| i as u64);
                prop_assert_eq!(coverage.add(start, start + length).err(), taken);
                if taken.is_none() {
                    flags[range].fill(true);
                }
            }
            let gap = flags.iter().position(|f| !f).map(|i| i as u64);
            prop_assert_eq!(coverage.first_gap(64), gap);
        }
    }
}
