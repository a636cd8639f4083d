//! Which rows of a tensor are compared, and how far decoded rows are from their source.

/// Most rows taken from one tensor.
const MAX_ROWS: u64 = 16;
/// Most weights taken from one tensor, unless a single row has more.
const MAX_WEIGHTS: u64 = 1 << 16;

/// Row numbers spread evenly over a tensor, first and last included. Always the same for the same shape.
pub fn rows(rows: u64, columns: u64) -> Vec<u64> {
    let count = (MAX_WEIGHTS / columns.max(1)).clamp(1, MAX_ROWS).min(rows);
    match count {
        0 => vec![],
        1 => vec![rows / 2],
        _ => (0..count).map(|i| (u128::from(i) * u128::from(rows - 1) / u128::from(count - 1)) as u64).collect(),
    }
}

/// Sums for one tensor: squared differences and squared weights.
#[derive(Debug, Default, Clone, Copy)]
pub struct Distance {
    difference: f64,
    weight: f64,
}

impl Distance {
    /// Adds a row. Differences of at most `floor` are not counted.
    pub fn add(&mut self, source: &[f32], decoded: &[f32], floor: f64) {
        for (w, d) in source.iter().zip(decoded) {
            let difference = f64::from(*w) - f64::from(*d);
            if difference.abs() > floor || difference.is_nan() {
                self.difference += difference * difference;
            }
            self.weight += f64::from(*w) * f64::from(*w);
        }
    }

    /// Adds the sums of other rows.
    pub fn join(&mut self, other: Distance) {
        self.difference += other.difference;
        self.weight += other.weight;
    }

    /// `||w - d||^2 / ||w||^2`, with the same edges as [`Distance::relative`].
    pub fn squared(self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.weight }
    }

    /// `||w - d|| / ||w||`; for a source of zeros 0 if it is met exactly and infinite otherwise.
    pub fn relative(self) -> f64 {
        self.squared().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_and_bounded() {
        assert_eq!(rows(1, 10), [0]);
        assert_eq!(rows(5, 10), [0, 1, 2, 3, 4]);
        assert_eq!(rows(31, 4096), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]);
        assert_eq!(rows(100, 1 << 20), [50]);
        assert_eq!(rows(100, 1 << 15), [0, 99]);
        assert!(rows(0, 10).is_empty());
        assert_eq!(rows(u64::MAX, 1).last(), Some(&(u64::MAX - 1)));
    }

    #[test]
    fn distances_and_their_edges() {
        let relative = |w: &[f32], d: &[f32], floor: f64| {
            let mut distance = Distance::default();
            distance.add(w, d, floor);
            distance.relative()
        };
        assert_eq!(relative(&[3.0, 4.0], &[3.0, 4.5], 0.0), 0.1);
        assert_eq!(relative(&[3.0, 4.0], &[3.0, 4.5], 0.5), 0.0);
        assert_eq!(relative(&[0.0], &[0.0], 0.0), 0.0);
        assert_eq!(relative(&[0.0], &[1.0], 0.0), f64::INFINITY);
        assert!(relative(&[1.0], &[f32::NAN], 1.0).is_nan());
    }

    #[test]
    fn sums_of_pieces_are_sums_of_the_whole() {
        let mut whole = Distance::default();
        whole.add(&[3.0, 4.0], &[3.5, 4.0], 0.0);
        let (mut first, mut second) = (Distance::default(), Distance::default());
        first.add(&[3.0], &[3.5], 0.0);
        second.add(&[4.0], &[4.0], 0.0);
        first.join(second);
        assert_eq!((first.squared(), whole.squared()), (0.01, 0.01));
    }
}
