//! Means of per-position values, with their errors.

use serde::{Deserialize, Serialize};

/// A figure and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// One standard error; `None` where fewer than two positions say nothing about it.
    pub error: Option<f64>,
}

impl Estimate {
    /// Mean of `values`, with the error `sd / sqrt(n - 1)` over the population's standard deviation; `None` for no values.
    pub fn mean(values: &[f64]) -> Option<Self> {
        let value = mean(values)?;
        Some(Self { value, error: covariance(values, values).map(f64::sqrt) })
    }

    /// Share of `hits` in `count` with the binomial error `sqrt(p (1 - p) / (n - 1))`; `None` for no positions.
    pub fn share(hits: usize, count: usize) -> Option<Self> {
        if count == 0 {
            return None;
        }
        let value = hits as f64 / count as f64;
        let error = (count > 1).then(|| (value * (1.0 - value) / (count - 1) as f64).sqrt());
        Some(Self { value, error })
    }

    /// The exponential, its error carried over in first order. At most the largest double, because JSON has no infinity; an
    /// error beyond that is none.
    pub fn exp(self) -> Self {
        let value = self.value.exp().min(f64::MAX);
        Self { value, error: self.error.map(|error| value * error).filter(|error| error.is_finite()) }
    }

    /// The square root, its error carried over in first order (zero for the root of zero).
    pub fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self { value, error: self.error.map(|error| if value > 0.0 { 0.5 * error / value } else { 0.0 }) }
    }
}

/// Covariance of the means of two series: the population's covariance over `n - 1`; `None` for fewer than two values.
pub(crate) fn covariance(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || a.len() != b.len() {
        return None;
    }
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
    let n = a.len() as f64;
    Some(sum(products) / n / (n - 1.0))
}

pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values.iter().copied()) / values.len() as f64)
}

/// Compensated (Neumaier): over millions of positions nothing is lost.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    total + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_errors() {
        // Population variance of 1, 2, 3, 6 is 3.5; error sqrt(3.5 / 3).
        let estimate = Estimate::mean(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!(estimate.value, 3.0);
        assert!((estimate.error.unwrap() - (3.5f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(Estimate::mean(&[4.0]), Some(Estimate { value: 4.0, error: None }));
        assert_eq!(Estimate::mean(&[]), None);
        let beyond = Estimate { value: 800.0, error: Some(2.0) }.exp();
        assert_eq!(beyond, Estimate { value: f64::MAX, error: None });
        assert_eq!(Estimate::share(3, 4).unwrap().error, Some((0.1875f64 / 3.0).sqrt()));
        assert_eq!((Estimate::share(0, 0), Estimate::share(1, 1).unwrap().error), (None, None));
    }

    #[test]
    fn sums_lose_nothing() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
    }
}
