//! Two models at one position: how far the other's prediction lies from the original's.

use crate::base_logits::StoredRow;
use crate::error::{MeasureError, Place};
use crate::exponential::exp_up_to_zero;
use crate::softmax::{LANES, LogSoftmax, joined, largest, widest};

/// What the original model predicted.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'a> {
    /// Its logits, one per token of the vocabulary.
    Logits(&'a [f32]),
    /// A row of llama.cpp's file: log-probabilities in 16 bits. They do not sum to exactly one and everything below
    /// `e^-16` counts as nothing, as llama-perplexity counts it; so the divergence may be slightly below zero, and does
    /// not vanish for the model that the file was made with.
    Stored(StoredRow<'a>),
}

/// One position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// Kullback-Leibler divergence of the other model from the original, sum of `p (ln p - ln q)`, in nats.
    pub kld: f64,
    /// Negative log-likelihood of the text's token under the original.
    pub nll_base: f64,
    /// The same under the other model.
    pub nll: f64,
    /// Whether both expect the same token most.
    pub same_top: bool,
}

impl Divergence {
    /// Probability of the text's token under the other model less that under the original.
    pub fn delta_p(&self) -> f64 {
        (-self.nll).exp() - (-self.nll_base).exp()
    }
}

/// Compares `other`'s logits with what the original predicted, at a position whose next token is `target`.
///
/// In double precision. A token that the original rules out (minus infinity) adds nothing. Equal rows give exactly zero;
/// against logits the result is never negative (what rounding leaves below zero, some 1e-16, is set to zero).
///
/// # Errors
/// [`MeasureError`]: unusable logits, vocabularies that differ, a target outside of them, or a divergence without end.
pub fn divergence(base: Reference<'_>, other: &[f32], target: u32, place: Place) -> Result<Divergence, MeasureError> {
    let sizes = |base: usize| match base == other.len() {
        true => Ok(()),
        false => Err(MeasureError::VocabularyDiffers { place, base, other: other.len() }),
    };
    match base {
        Reference::Logits(base) => {
            sizes(base.len())?;
            between_logits(base, other, target, place)
        }
        Reference::Stored(base) => {
            sizes(base.vocabulary())?;
            from_stored(base, other, target, place)
        }
    }
}

/// One pass over both rows. With `d` the difference of logits, each less its row's largest, the divergence is the mean of
/// `d` under the original less the difference of the logarithms of both sums; so shifted rows lose no digits.
fn between_logits(base: &[f32], other: &[f32], target: u32, place: Place) -> Result<Divergence, MeasureError> {
    let (base_largest, base_top) = largest(base, place)?;
    let (other_largest, other_top) = largest(other, place)?;
    let (mut weights, mut other_weights, mut weighted) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut step = |lane: usize, base: f32, other: f32| {
        let base = f64::from(base) - base_largest;
        let other = f64::from(other) - other_largest;
        let weight = exp_up_to_zero(base);
        weights[lane] += weight;
        other_weights[lane] += exp_up_to_zero(other);
        weighted[lane] += if weight > 0.0 { weight * (base - other) } else { 0.0 };
    };
    let (base_blocks, base_rest) = base.as_chunks::<LANES>();
    let (other_blocks, other_rest) = other.as_chunks::<LANES>();
    widest(
        #[inline(always)]
        || {
            for (base, other) in base_blocks.iter().zip(other_blocks) {
                for lane in 0..LANES {
                    step(lane, base[lane], other[lane]);
                }
            }
        },
    );
    for (lane, (base, other)) in base_rest.iter().zip(other_rest).enumerate() {
        step(lane, *base, *other);
    }
    let total = joined(weights);
    let ours = LogSoftmax { largest: base_largest, top: base_top, log_sum: total.ln() };
    let theirs = LogSoftmax { largest: other_largest, top: other_top, log_sum: joined(other_weights).ln() };
    let kld = joined(weighted) / total - (ours.log_sum - theirs.log_sum);
    if !kld.is_finite() {
        let expected = |logit: f32| exp_up_to_zero(f64::from(logit) - base_largest) > 0.0;
        let ruled_out = |(base, other): (&f32, &f32)| expected(*base) && *other == f32::NEG_INFINITY;
        let token = base.iter().zip(other).position(ruled_out).unwrap_or_default();
        return Err(MeasureError::InfiniteDivergence { place, token });
    }
    Ok(Divergence {
        kld: if kld > 0.0 { kld } else { 0.0 },
        nll_base: ours.negative_log_likelihood(base, target, place)?,
        nll: theirs.negative_log_likelihood(other, target, place)?,
        same_top: base_top == other_top,
    })
}

fn from_stored(base: StoredRow<'_>, other: &[f32], target: u32, place: Place) -> Result<Divergence, MeasureError> {
    let theirs = LogSoftmax::of(other, place)?;
    let nll = theirs.negative_log_likelihood(other, target, place)?;
    let mut lanes = [0.0; LANES];
    for (token, (log_p, logit)) in base.log_probabilities().zip(other).enumerate() {
        if log_p > StoredRow::NEGLIGIBLE {
            lanes[token % LANES] += log_p.exp() * (log_p - theirs.log_probability(*logit));
        }
    }
    let kld = joined(lanes);
    if !kld.is_finite() {
        let counts = |(log_p, logit): (f64, &f32)| log_p > StoredRow::NEGLIGIBLE && *logit == f32::NEG_INFINITY;
        let token = base.log_probabilities().zip(other).position(counts).unwrap_or_default();
        return Err(MeasureError::InfiniteDivergence { place, token });
    }
    let log_p = base.log_probability(target as usize).ok_or(MeasureError::TargetOutside {
        place,
        token: target,
        vocabulary: other.len(),
    })?;
    Ok(Divergence { kld, nll_base: (-log_p).max(0.0), nll, same_top: base.top() == Some(theirs.top) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { chunk: 0, row: 3 };

    fn compare(base: &[f32], other: &[f32]) -> Result<Divergence, MeasureError> {
        divergence(Reference::Logits(base), other, 0, HERE)
    }

    fn wavy(seed: u32, size: u32) -> Vec<f32> {
        (0..size).map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) % 1009) as f32 * 0.021).collect()
    }

    #[test]
    fn a_model_does_not_diverge_from_itself() {
        for size in [1, 5, 8, 1003] {
            let row = wavy(size, size);
            let same = compare(&row, &row).unwrap();
            assert_eq!((same.kld, same.same_top, same.delta_p()), (0.0, true, 0.0));
        }
        let ruled_out = [1.0, f32::NEG_INFINITY, 0.5];
        assert_eq!(compare(&ruled_out, &ruled_out).unwrap().kld, 0.0);
    }

    #[test]
    fn from_an_even_prediction_it_is_what_entropy_lacks() {
        let base = wavy(3, 997);
        let even = vec![2.0; 997];
        let softmax = LogSoftmax::of(&base, HERE).unwrap();
        let log_p = base.iter().map(|logit| softmax.log_probability(*logit));
        let entropy: f64 = log_p.map(|log_p| -log_p.exp() * log_p).sum();
        let found = compare(&base, &even).unwrap();
        assert!((found.kld - (997f64.ln() - entropy)).abs() < 1e-12);
        assert!(!found.same_top && (found.nll - 997f64.ln()).abs() < 1e-13);
    }

    #[test]
    fn never_negative_and_blind_to_shifts() {
        for seed in 0..200 {
            let base = wavy(seed, 257);
            let other = wavy(seed + 1, 257);
            let found = compare(&base, &other).unwrap();
            assert!(found.kld >= 0.0);
            let shifted: Vec<f32> = other.iter().map(|logit| logit + 64.0).collect();
            let unshifted: Vec<f32> = shifted.iter().map(|logit| logit - 64.0).collect();
            let (a, b) = (compare(&base, &shifted).unwrap().kld, compare(&base, &unshifted).unwrap().kld);
            assert!((a - b).abs() < 1e-13, "{a} {b}");
            // The smallest change of one logit.
            let mut near = base.clone();
            near[9] = near[9].next_up();
            let tiny = compare(&base, &near).unwrap().kld;
            assert!((0.0..1e-12).contains(&tiny), "{tiny:e}");
        }
    }

    #[test]
    fn tokens_that_are_ruled_out() {
        let none = f32::NEG_INFINITY;
        // The original rules it out: nothing to add.
        let found = compare(&[0.0, none, 0.0], &[0.0, 0.0, 0.0]).unwrap();
        assert!((found.kld - 1.5f64.ln()).abs() < 1e-15);
        // The other rules out what the original expects.
        let error = compare(&[0.0, 0.0, 0.0], &[0.0, 0.0, none]).unwrap_err();
        assert_eq!(error, MeasureError::InfiniteDivergence { place: HERE, token: 2 });
        assert!(error.to_string().starts_with("chunk 0, position 3: the original expects token 2"));
        // Expected with less than any number: as if ruled out.
        assert_eq!(compare(&[0.0, -800.0], &[0.0, none]).unwrap().kld, 0.0);
        // Certain of different tokens.
        let far = compare(&[0.0, -1e38], &[-1e38, 0.0]).unwrap();
        assert!(far.kld > 9e37 && far.kld.is_finite() && !far.same_top && far.nll_base == 0.0);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let error = compare(&[0.0; 5], &[0.0; 6]).unwrap_err().to_string();
        assert!(error.contains("the original has 5 tokens, the other model 6"), "{error}");
        assert!(matches!(compare(&[0.0, f32::NAN], &[0.0; 2]), Err(MeasureError::NotFinite { token: 1, .. })));
        assert!(matches!(compare(&[0.0; 2], &[f32::INFINITY, 0.0]), Err(MeasureError::NotFinite { token: 0, .. })));
        assert!(matches!(
            divergence(Reference::Logits(&[0.0; 2]), &[0.0; 2], 2, HERE),
            Err(MeasureError::TargetOutside { token: 2, .. })
        ));
    }
}
