//! Perplexity of one model over a text.

use crate::error::{MeasureError, Place};
use crate::estimate::Estimate;
use crate::softmax::LogSoftmax;

/// Negative log-likelihoods of the scored positions, in the order of the text: 8 bytes per position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    nll: Vec<f64>,
}

impl Score {
    /// Nothing scored yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scores one row of logits against the token that follows; returns its negative log-likelihood in nats.
    ///
    /// # Errors
    /// [`MeasureError`]; nothing is added then.
    pub fn add(&mut self, logits: &[f32], target: u32, place: Place) -> Result<f64, MeasureError> {
        let nll = LogSoftmax::of(logits, place)?.negative_log_likelihood(logits, target, place)?;
        self.nll.push(nll);
        Ok(nll)
    }

    /// Scores rows that stand behind each other, one per target. `first_row` is the row's number in its chunk, for words
    /// about what went wrong.
    ///
    /// # Errors
    /// [`MeasureError`]; rows before the failing one have been added.
    pub fn add_rows(
        &mut self,
        logits: &[f32],
        vocabulary: usize,
        targets: &[u32],
        chunk: usize,
        first_row: usize,
    ) -> Result<(), MeasureError> {
        let found = logits.len();
        if vocabulary == 0 || targets.len().checked_mul(vocabulary) != Some(found) {
            return Err(MeasureError::WrongLength { chunk, targets: targets.len(), vocabulary, found });
        }
        for (index, (row, target)) in logits.chunks_exact(vocabulary).zip(targets).enumerate() {
            self.add(row, *target, Place { chunk, row: first_row + index })?;
        }
        Ok(())
    }

    /// Adds what was scored of the text that follows. Joined in the order of the text, parts give exactly what one pass
    /// gives, however they were cut.
    pub fn append(&mut self, following: Self) {
        self.nll.extend(following.nll);
    }

    /// Number of scored positions.
    pub fn positions(&self) -> usize {
        self.nll.len()
    }

    /// Negative log-likelihoods in nats, in the order of the text.
    pub fn values(&self) -> &[f64] {
        &self.nll
    }

    /// Mean negative log-likelihood in nats with its standard error; `None` when nothing was scored.
    pub fn mean(&self) -> Option<Estimate> {
        Estimate::mean(&self.nll)
    }

    /// Perplexity: the exponential of the mean, with the error that llama-perplexity prints, `PPL * sd / sqrt(n - 1)`.
    pub fn perplexity(&self) -> Option<Estimate> {
        self.mean().map(Estimate::exp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u32) -> Vec<f32> {
        (0..101u32).map(|i| ((i * 37 + seed * 101) % 97) as f32 * 0.11 - 4.0).collect()
    }

    #[test]
    fn even_logits_have_the_perplexity_of_the_vocabulary() {
        let mut score = Score::new();
        score.add_rows(&[1.5; 3 * 1000], 1000, &[0, 999, 500], 0, 0).unwrap();
        let perplexity = score.perplexity().unwrap();
        assert!((perplexity.value - 1000.0).abs() < 1e-9 && perplexity.error == Some(0.0), "{perplexity:?}");
    }

    #[test]
    fn parts_join_bit_for_bit() {
        let all: Vec<f32> = (0..50).flat_map(row).collect();
        let targets: Vec<u32> = (0..50).map(|i| i * 2).collect();
        let mut whole = Score::new();
        whole.add_rows(&all, 101, &targets, 0, 0).unwrap();
        for cut in [1, 7, 25, 49] {
            let mut first = Score::new();
            first.add_rows(&all[..cut * 101], 101, &targets[..cut], 0, 0).unwrap();
            let mut second = Score::new();
            second.add_rows(&all[cut * 101..], 101, &targets[cut..], 0, cut).unwrap();
            first.append(second);
            assert_eq!(first, whole);
            assert_eq!(first.perplexity().unwrap().value.to_bits(), whole.perplexity().unwrap().value.to_bits());
        }
    }

    #[test]
    fn misfits_are_refused() {
        let mut score = Score::new();
        assert!(score.perplexity().is_none());
        let error = score.add_rows(&[0.0; 10], 4, &[0, 1], 3, 0).unwrap_err().to_string();
        assert_eq!(error, "chunk 3: 2 tokens to predict over 4 tokens need 8 logits, there are 10");
        assert!(score.add_rows(&[], 0, &[], 0, 0).is_err());
        let mut rows = [0.0; 8];
        rows[6] = f32::NAN;
        let error = score.add_rows(&rows, 4, &[0, 1], 3, 100).unwrap_err().to_string();
        assert!(error.starts_with("chunk 3, position 101: the logit of token 2 is NaN"), "{error}");
        assert_eq!(score.positions(), 1, "the row before stays");
    }
}
