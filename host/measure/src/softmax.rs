//! What one row of logits says: its largest token and the sum that turns logits into log-probabilities.

use crate::error::{MeasureError, Place};
use crate::exponential::exp_up_to_zero;
use pulp::Arch;

/// Sums run in this many lanes, joined in a fixed order: fast, and the same on every machine.
pub(crate) const LANES: usize = 8;

/// The normalisation of one row: the log-probability of token `i` is `logit[i] - largest - log_sum`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogSoftmax {
    /// The largest logit.
    pub largest: f64,
    /// The first token that has it.
    pub top: usize,
    /// Logarithm of the sum of `e^(logit - largest)`: from 0 to the logarithm of the vocabulary's size.
    pub log_sum: f64,
}

impl LogSoftmax {
    /// Of a row. Minus infinity means a probability of zero (models rule out padding tokens so).
    ///
    /// # Errors
    /// NaN, plus infinity, or no token with a probability.
    pub fn of(logits: &[f32], place: Place) -> Result<Self, MeasureError> {
        let (largest, top) = largest(logits, place)?;
        let mut sums = [0.0; LANES];
        let (blocks, rest) = logits.as_chunks::<LANES>();
        widest(
            #[inline(always)]
            || {
                let mut lanes = sums;
                for block in blocks {
                    let powers: [f64; LANES] =
                        std::array::from_fn(|lane| exp_up_to_zero(f64::from(block[lane]) - largest));
                    lanes.iter_mut().zip(powers).for_each(|(lane, power)| *lane += power);
                }
                sums = lanes;
            },
        );
        for (sum, logit) in sums.iter_mut().zip(rest) {
            *sum += exp_up_to_zero(f64::from(*logit) - largest);
        }
        Ok(Self { largest, top, log_sum: joined(sums).ln() })
    }

    /// Log-probability of a token with this logit.
    pub fn log_probability(&self, logit: f32) -> f64 {
        (f64::from(logit) - self.largest) - self.log_sum
    }

    /// Negative log-likelihood of `target`, in nats.
    ///
    /// # Errors
    /// A token outside the row, or one that the row rules out.
    pub fn negative_log_likelihood(&self, logits: &[f32], target: u32, place: Place) -> Result<f64, MeasureError> {
        let logit = logits.get(target as usize).copied().ok_or(MeasureError::TargetOutside {
            place,
            token: target,
            vocabulary: logits.len(),
        })?;
        if logit == f32::NEG_INFINITY {
            return Err(MeasureError::ImpossibleTarget { place, token: target });
        }
        // Of a certain token it would be minus zero.
        let nll = -self.log_probability(logit);
        Ok(if nll > 0.0 { nll } else { 0.0 })
    }
}

/// Runs a body, everything inlined into it included, with the widest instructions that the processor has. They never fuse
/// multiplications with additions, so the bits stay the same.
pub(crate) fn widest<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// The largest logit and the first token that has it.
pub(crate) fn largest(logits: &[f32], place: Place) -> Result<(f64, usize), MeasureError> {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut usable = true;
    let (blocks, rest) = logits.as_chunks::<LANES>();
    widest(
        #[inline(always)]
        || {
            for block in blocks {
                for (lane, logit) in lanes.iter_mut().zip(block) {
                    *lane = if *logit > *lane { *logit } else { *lane };
                    // NaN is not smaller either.
                    usable &= *logit < f32::INFINITY;
                }
            }
        },
    );
    for logit in rest {
        lanes[0] = lanes[0].max(*logit);
        usable &= *logit < f32::INFINITY;
    }
    if !usable {
        let found = logits.iter().enumerate().find(|(_, logit)| logit.is_nan() || **logit == f32::INFINITY);
        let (token, value) = found.map_or((0, f32::NAN), |(token, value)| (token, *value));
        return Err(MeasureError::NotFinite { place, token, value });
    }
    let largest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
    match logits.iter().position(|logit| *logit == largest) {
        Some(top) if largest > f32::NEG_INFINITY => Ok((f64::from(largest), top)),
        _ => Err(MeasureError::NoDistribution { place, vocabulary: logits.len() }),
    }
}

/// The sum of all lanes.
pub(crate) fn joined(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { chunk: 2, row: 7 };

    #[test]
    fn equal_logits_are_an_even_distribution() {
        for (size, value) in [(1, 0.0f32), (7, -3.5), (8, 1e30), (50_257, f32::MIN), (128_256, f32::MAX)] {
            let row = vec![value; size];
            let softmax = LogSoftmax::of(&row, HERE).unwrap();
            assert_eq!(softmax.top, 0, "ties go to the first token");
            let nll = softmax.negative_log_likelihood(&row, (size - 1) as u32, HERE).unwrap();
            assert!((nll - (size as f64).ln()).abs() < 1e-13, "{size}: {nll}");
        }
    }

    #[test]
    fn ruled_out_tokens_have_no_probability() {
        let row = [f32::NEG_INFINITY, 2.0, f32::NEG_INFINITY, 2.0];
        let softmax = LogSoftmax::of(&row, HERE).unwrap();
        assert_eq!((softmax.top, softmax.log_sum), (1, 2.0f64.ln()));
        assert_eq!(softmax.negative_log_likelihood(&row, 3, HERE).unwrap(), 2.0f64.ln());
        assert_eq!(
            softmax.negative_log_likelihood(&row, 2, HERE),
            Err(MeasureError::ImpossibleTarget { place: HERE, token: 2 })
        );
        // Alone in the world.
        let certain = [f32::NEG_INFINITY, 5.0];
        let nll = LogSoftmax::of(&certain, HERE).unwrap().negative_log_likelihood(&certain, 1, HERE).unwrap();
        assert!(nll == 0.0 && nll.is_sign_positive());
    }

    #[test]
    fn what_is_no_distribution_is_named() {
        let message = |row: &[f32]| LogSoftmax::of(row, HERE).unwrap_err().to_string();
        let mut row = vec![0.0; 19];
        row[17] = f32::NAN;
        assert!(message(&row).starts_with("chunk 2, position 7: the logit of token 17 is NaN"));
        row[3] = f32::INFINITY;
        assert!(message(&row).starts_with("chunk 2, position 7: the logit of token 3 is inf"));
        assert!(message(&[f32::NEG_INFINITY; 9]).contains("none of 9 tokens"));
        assert!(message(&[]).contains("none of 0 tokens"));
        let softmax = LogSoftmax::of(&[0.0; 4], HERE).unwrap();
        assert!(matches!(
            softmax.negative_log_likelihood(&[0.0; 4], 4, HERE),
            Err(MeasureError::TargetOutside { token: 4, vocabulary: 4, .. })
        ));
    }

    #[test]
    fn huge_distances_do_not_overflow() {
        let row = [f32::MAX, f32::MIN, 0.0];
        let softmax = LogSoftmax::of(&row, HERE).unwrap();
        assert_eq!(softmax.log_sum, 0.0);
        let nll = softmax.negative_log_likelihood(&row, 1, HERE).unwrap();
        assert!(nll.is_finite() && nll > 6e38);
    }
}
