//! A row-major matrix of single-precision numbers: one row per token.

/// Rows of equal length behind each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Row-major numbers.
    pub values: Vec<f32>,
    /// Length of a row.
    pub columns: usize,
}

impl Rows {
    /// `rows` rows of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Rows {
        Rows { values: vec![0.0; rows * columns], columns }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// Some of the rows, in the order of `rows`.
    pub fn gather(&self, rows: &[u32]) -> Rows {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        for row in rows {
            values.extend_from_slice(self.row(*row as usize));
        }
        Rows { values, columns: self.columns }
    }
}
