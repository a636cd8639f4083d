//! Two models over a whole text: divergence, agreement, and perplexities paired position by position.

use crate::distribution::{Histogram, Quantiles};
use crate::divergence::{Divergence, Reference, divergence};
use crate::error::{MeasureError, Place};
use crate::estimate::{Estimate, covariance};
use serde::{Deserialize, Serialize};

/// Figures of the compared positions, in the order of the text: 25 bytes per position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    kld: Vec<f64>,
    nll_base: Vec<f64>,
    nll: Vec<f64>,
    same_top: Vec<bool>,
}

/// What two models have in common over a text. `base` is the original; probabilities and shares run from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonSummary {
    /// Compared positions.
    pub positions: usize,
    /// Perplexity of the other model.
    pub perplexity: Estimate,
    /// Perplexity of the original.
    pub perplexity_base: Estimate,
    /// `ln(PPL / PPL(base))` with its paired error: from the differences position by position, so what both models find
    /// hard alike drops out.
    pub log_perplexity_ratio: Estimate,
    /// `PPL / PPL(base)` with its paired error.
    pub perplexity_ratio: Estimate,
    /// `PPL - PPL(base)` with its paired error.
    pub perplexity_difference: Estimate,
    /// Correlation of the two negative log-likelihoods; `None` where one of them never varies.
    pub log_perplexity_correlation: Option<f64>,
    /// Mean divergence from the original, in nats.
    pub mean_kld: Estimate,
    /// Its distribution over positions.
    pub kld: Quantiles,
    /// The same as a histogram over powers of ten.
    pub kld_histogram: Histogram,
    /// Share of positions where both expect the same token most.
    pub top1_agreement: Estimate,
    /// Mean change of the probability of the text's token.
    pub mean_delta_p: Estimate,
    /// Root of its mean square.
    pub rms_delta_p: Estimate,
    /// Its distribution over positions.
    pub delta_p: Quantiles,
}

impl Comparison {
    /// Nothing compared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares one position.
    ///
    /// # Errors
    /// [`MeasureError`]; nothing is added then.
    pub fn add(
        &mut self,
        base: Reference<'_>,
        other: &[f32],
        target: u32,
        place: Place,
    ) -> Result<Divergence, MeasureError> {
        let found = divergence(base, other, target, place)?;
        self.kld.push(found.kld);
        self.nll_base.push(found.nll_base);
        self.nll.push(found.nll);
        self.same_top.push(found.same_top);
        Ok(found)
    }

    /// Compares rows of logits that stand behind each other, one per target. `first_row` is the row's number in its chunk.
    ///
    /// # Errors
    /// [`MeasureError`]; rows before the failing one have been added.
    pub fn add_rows(
        &mut self,
        base: &[f32],
        other: &[f32],
        vocabulary: usize,
        targets: &[u32],
        chunk: usize,
        first_row: usize,
    ) -> Result<(), MeasureError> {
        for logits in [base, other] {
            let found = logits.len();
            if vocabulary == 0 || targets.len().checked_mul(vocabulary) != Some(found) {
                return Err(MeasureError::WrongLength { chunk, targets: targets.len(), vocabulary, found });
            }
        }
        let rows = base.chunks_exact(vocabulary).zip(other.chunks_exact(vocabulary)).zip(targets).enumerate();
        for (index, ((base, other), target)) in rows {
            self.add(Reference::Logits(base), other, *target, Place { chunk, row: first_row + index })?;
        }
        Ok(())
    }

    /// Adds what was compared of the text that follows. Joined in the order of the text, parts give exactly what one pass
    /// gives, however they were cut.
    pub fn append(&mut self, following: Self) {
        self.kld.extend(following.kld);
        self.nll_base.extend(following.nll_base);
        self.nll.extend(following.nll);
        self.same_top.extend(following.same_top);
    }

    /// Number of compared positions.
    pub fn positions(&self) -> usize {
        self.kld.len()
    }

    /// Divergences in nats, in the order of the text.
    pub fn klds(&self) -> &[f64] {
        &self.kld
    }

    /// Negative log-likelihoods of the other model, in the order of the text.
    pub fn nlls(&self) -> &[f64] {
        &self.nll
    }

    /// Negative log-likelihoods of the original, in the order of the text.
    pub fn nlls_base(&self) -> &[f64] {
        &self.nll_base
    }

    /// All figures; `None` when nothing was compared.
    pub fn summary(&self) -> Option<ComparisonSummary> {
        let log_perplexity = Estimate::mean(&self.nll)?;
        let log_perplexity_base = Estimate::mean(&self.nll_base)?;
        let (perplexity, perplexity_base) = (log_perplexity.exp(), log_perplexity_base.exp());
        let pairs = || self.nll.iter().zip(&self.nll_base);
        let differences: Vec<f64> = pairs().map(|(nll, base)| nll - base).collect();
        let log_perplexity_ratio = Estimate::mean(&differences)?;
        // The error of a difference, from differences of what each position adds to it in first order.
        let weighted: Vec<f64> =
            pairs().map(|(nll, base)| nll * perplexity.value - base * perplexity_base.value).collect();
        let perplexity_difference = Estimate {
            value: perplexity.value - perplexity_base.value,
            error: covariance(&weighted, &weighted).map(f64::sqrt).filter(|error| error.is_finite()),
        };
        let correlation = || {
            let spread = log_perplexity.error? * log_perplexity_base.error?;
            (spread > 0.0).then_some(covariance(&self.nll, &self.nll_base)? / spread)
        };
        let delta_p: Vec<f64> = pairs().map(|(nll, base)| (-nll).exp() - (-base).exp()).collect();
        let squares: Vec<f64> = delta_p.iter().map(|delta| delta * delta).collect();
        let agreed = self.same_top.iter().filter(|same| **same).count();
        Some(ComparisonSummary {
            positions: self.positions(),
            perplexity,
            perplexity_base,
            log_perplexity_ratio,
            perplexity_ratio: log_perplexity_ratio.exp(),
            perplexity_difference,
            log_perplexity_correlation: correlation(),
            mean_kld: Estimate::mean(&self.kld)?,
            kld: Quantiles::of(&self.kld)?,
            kld_histogram: Histogram::logarithmic(&self.kld),
            top1_agreement: Estimate::share(agreed, self.positions())?,
            mean_delta_p: Estimate::mean(&delta_p)?,
            rms_delta_p: Estimate::mean(&squares)?.sqrt(),
            delta_p: Quantiles::of(&delta_p)?,
        })
    }
}
