//! How strong the weights of each column are: the mean over rows of |w| relative to the largest of its group.

/// Sums over rows of one or several matrices of as many columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Strength {
    sums: Vec<f64>,
    rows: u64,
}

/// Added to the largest weight of a group, as in AutoAWQ: groups of zeros are no division by zero.
const FLOOR: f32 = 1e-6;

impl Strength {
    /// Nothing yet.
    pub fn new(columns: usize) -> Strength {
        Strength { sums: vec![0.0; columns], rows: 0 }
    }

    /// Adds rows.
    ///
    /// # Panics
    /// If `weights` are not whole rows.
    pub fn add(&mut self, weights: &[f32], group: usize) {
        let columns = self.sums.len();
        assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns} weights");
        for row in weights.chunks(columns) {
            for (weights, sums) in row.chunks(group).zip(self.sums.chunks_mut(group)) {
                let most = weights.iter().fold(0.0f32, |most, weight| most.max(weight.abs())) + FLOOR;
                for (weight, sum) in weights.iter().zip(sums) {
                    *sum += f64::from(weight.abs() / most);
                }
            }
            self.rows += 1;
        }
    }

    /// Adds what other rows gave.
    pub fn merge(&mut self, other: &Strength) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
        self.rows += other.rows;
    }

    /// Sum of each column, and rows.
    pub fn sums(&self) -> (&[f64], u64) {
        (&self.sums, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_count_relative_to_their_group() {
        let rows = [1.0, -2.0, 30.0, 15.0, 0.5, 0.25, 0.0, 0.0];
        let mut all = Strength::new(4);
        all.add(&rows, 2);
        let mut parts = Strength::new(4);
        for row in rows.chunks(4) {
            let mut one = Strength::new(4);
            one.add(row, 2);
            parts.merge(&one);
        }
        assert_eq!(all, parts);
        let (sums, count) = all.sums();
        assert_eq!(count, 2);
        for (sum, expected) in sums.iter().zip([1.5, 1.5, 1.0, 0.5]) {
            assert!((sum - expected).abs() < 1e-5, "{sums:?}");
        }
    }
}
