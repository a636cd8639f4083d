//! Statistics of two texts, or of two parts of one, added up.

use thiserror::Error;

use crate::record::{Entry, Record, Samples};

/// Why two entries cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the statistics of `{feed}` do not belong together: {problem}")]
pub struct MergeError {
    /// The feed of the first.
    pub feed: String,
    /// What differs.
    pub problem: String,
}

impl Entry {
    /// Adds the statistics of the same feed of the same model for more text, keeping at most `samples` rows of each
    /// record. Sums are added in f64, so the result is that of one run over both texts to within the errors that one run has.
    /// Samples are exactly those of one run, where both are parts of one text.
    ///
    /// # Errors
    /// Another feed, other sources, other sizes, or a Gram matrix in one only. Nothing is changed then.
    pub fn merge(&mut self, other: &Entry, samples: usize) -> Result<(), MergeError> {
        let differ = |problem: String| Err(MergeError { feed: self.feed.clone(), problem });
        if self.feed != other.feed {
            return differ(format!("the other entry is `{}`", other.feed));
        }
        if self.sources != other.sources {
            return differ("different tensors read it".to_owned());
        }
        if (self.columns, self.routed, self.records.len()) != (other.columns, other.routed, other.records.len()) {
            let size = |entry: &Entry| format!("{} channels in {} records", entry.columns, entry.records.len());
            return differ(format!("{} and {}", size(self), size(other)));
        }
        let pairs = || self.records.iter().zip(&other.records);
        if pairs().any(|(one, other)| one.gram.is_some() != other.gram.is_some()) {
            return differ("only one of them has a Gram matrix".to_owned());
        }
        for (record, other) in self.records.iter_mut().zip(&other.records) {
            record.add(other, self.columns, samples);
        }
        Ok(())
    }
}

impl Record {
    fn add(&mut self, other: &Record, columns: usize, samples: usize) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.dropped = self.dropped.saturating_add(other.dropped);
        add(&mut self.sum, &other.sum);
        add(&mut self.sum_abs, &other.sum_abs);
        add(&mut self.sum_squares, &other.sum_squares);
        for (min, other) in self.min.iter_mut().zip(&other.min) {
            *min = min.min(*other);
        }
        for (max, other) in self.max.iter_mut().zip(&other.max) {
            *max = max.max(*other);
        }
        if let (Some(gram), Some(other)) = (&mut self.gram, &other.gram) {
            add(gram.packed_mut(), other.packed());
        }
        self.samples = merged(&self.samples, &other.samples, columns, samples);
    }
}

fn add(sums: &mut [f64], others: &[f64]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum += other;
    }
}

/// The rows with the smallest hashes of both; of equal hashes the one whose token, then whose values are smaller, so that
/// the order of the two does not matter.
fn merged(one: &Samples, other: &Samples, columns: usize, capacity: usize) -> Samples {
    let mut rows: Vec<(u64, u64, &[f32])> = Vec::new();
    for samples in [one, other] {
        let keys = samples.priorities.iter().zip(&samples.tokens);
        rows.extend(keys.zip(samples.values.chunks_exact(columns)).map(|((p, t), row)| (*p, *t, row)));
    }
    rows.sort_by(|a, b| {
        let values = || a.2.iter().map(|x| x.to_bits()).cmp(b.2.iter().map(|x| x.to_bits()));
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(values)
    });
    let mut samples = Samples::default();
    for (priority, token, row) in rows.into_iter().take(capacity) {
        samples.priorities.push(priority);
        samples.tokens.push(token);
        samples.values.extend_from_slice(row);
    }
    samples
}
