//! How per-position values are distributed: quantiles and histograms.

use serde::{Deserialize, Serialize};

/// Quantiles of per-position values.
///
/// Between two sorted values the quantile is interpolated linearly at `fraction * (n - 1)`: llama-perplexity's definition,
/// and numpy's default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Smallest.
    pub min: f64,
    /// 0.1 %.
    pub p0_1: f64,
    /// 1 %.
    pub p1: f64,
    /// 5 %.
    pub p5: f64,
    /// 10 %.
    pub p10: f64,
    /// 25 %.
    pub p25: f64,
    /// 50 %.
    pub median: f64,
    /// 75 %.
    pub p75: f64,
    /// 90 %.
    pub p90: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p99_9: f64,
    /// Largest.
    pub max: f64,
}

impl Quantiles {
    /// Of values in any order; `None` for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |fraction: f64| {
            let place = fraction * (sorted.len() - 1) as f64;
            let below = (place.floor() as usize).min(sorted.len() - 1);
            let above = (below + 1).min(sorted.len() - 1);
            let share = place - below as f64;
            (1.0 - share) * sorted[below] + share * sorted[above]
        };
        Some(Self {
            min: at(0.0),
            p0_1: at(0.001),
            p1: at(0.01),
            p5: at(0.05),
            p10: at(0.1),
            p25: at(0.25),
            median: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            max: at(1.0),
        })
    }
}

/// How often values of each magnitude occur: four bins per power of ten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Values below the lowest edge, zero and negative ones included.
    pub below: u64,
    /// Lower edges of the bins and the upper edge of the last, ascending; the last bin includes its upper edge.
    pub edges: Vec<f64>,
    /// Values per bin, one less than there are edges.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Bins per power of ten.
    const PER_DECADE: i32 = 4;

    /// Over four bins per power of ten, from 1e-8 (or the first power of ten below all values) up to the first power of
    /// ten above all of them.
    pub fn logarithmic(values: &[f64]) -> Self {
        let decade = |value: f64| value.log10().floor() as i32;
        let usable = values.iter().copied().filter(|value| *value >= 1e-8 && value.is_finite());
        let (low, high) = usable.fold((i32::MAX, i32::MIN), |(low, high), value| {
            let decade = decade(value);
            (low.min(decade), high.max(decade + 1))
        });
        if low > high {
            return Self { below: values.len() as u64, edges: Vec::new(), counts: Vec::new() };
        }
        let low = low.max(-8);
        let bins = (high - low) * Self::PER_DECADE;
        let edge = |bin: i32| 10f64.powf(f64::from(low) + f64::from(bin) / f64::from(Self::PER_DECADE));
        let edges: Vec<f64> = (0..=bins).map(edge).collect();
        let mut counts = vec![0u64; bins as usize];
        let mut below = 0;
        for value in values {
            match edges.partition_point(|edge| edge <= value) {
                0 => below += 1,
                bin => counts[(bin - 1).min(bins as usize - 1)] += 1,
            }
        }
        Self { below, edges, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let values: Vec<f64> = (0..=10).rev().map(f64::from).collect();
        let quantiles = Quantiles::of(&values).unwrap();
        assert_eq!((quantiles.min, quantiles.median, quantiles.max), (0.0, 5.0, 10.0));
        assert!((quantiles.p25 - 2.5).abs() < 1e-15 && (quantiles.p99 - 9.9).abs() < 1e-14);
        // An even number: the mean of the two in the middle.
        assert_eq!(Quantiles::of(&[1.0, 2.0, 4.0, 9.0]).unwrap().median, 3.0);
        let one = Quantiles::of(&[7.0]).unwrap();
        assert_eq!((one.min, one.p99_9, one.max), (7.0, 7.0, 7.0));
        assert!(Quantiles::of(&[]).is_none());
    }

    #[test]
    fn histograms_count_every_value() {
        let values = [0.0, -1e-3, 1e-12, 1e-8, 0.05, 0.05, 0.9, 10.0];
        let histogram = Histogram::logarithmic(&values);
        assert_eq!(histogram.below, 3);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 5);
        assert_eq!(histogram.edges.len(), histogram.counts.len() + 1);
        assert!(histogram.edges.is_sorted() && histogram.edges[0] <= 1e-8);
        let empty = Histogram::logarithmic(&[0.0, 0.0]);
        assert_eq!((empty.below, empty.counts.len()), (2, 0));
    }
}
