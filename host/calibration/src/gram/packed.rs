//! The lower triangle of a symmetric matrix, row by row without gaps.

/// Where row `row` of a packed lower triangle starts; also the number of values of a triangle of that many rows.
pub const fn row_start(row: usize) -> usize {
    row * (row + 1) / 2
}

/// A Gram matrix `sum x x^T`: the values on and below the diagonal in f64, row by row (row `i` has `i + 1`).
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    columns: usize,
    values: Vec<f64>,
}

impl Gram {
    /// All zeros.
    pub fn zero(columns: usize) -> Gram {
        Gram { columns, values: vec![0.0; row_start(columns)] }
    }

    /// From the packed values; `None` if their number is not `columns * (columns + 1) / 2`.
    pub fn from_packed(columns: usize, values: Vec<f64>) -> Option<Gram> {
        (values.len() == row_start(columns)).then_some(Gram { columns, values })
    }

    /// Channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Value of row `i` and column `j`, below `columns` both.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[row_start(i.max(j)) + i.min(j)]
    }

    /// The packed values.
    pub fn packed(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn packed_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// Writes the whole symmetric matrix row-major; `out` has `columns * columns` places.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn write_dense(&self, out: &mut [f32]) {
        assert_eq!(out.len(), self.columns * self.columns, "a dense Gram matrix of {} channels", self.columns);
        // In squares, because one of the two writes goes down a column.
        const SQUARE: usize = 32;
        for rows in (0..self.columns).step_by(SQUARE) {
            for columns in (0..=rows).step_by(SQUARE) {
                for i in rows..self.columns.min(rows + SQUARE) {
                    let row = &self.values[row_start(i)..];
                    for j in columns..(i + 1).min(columns + SQUARE) {
                        let value = row[j] as f32;
                        out[i * self.columns + j] = value;
                        out[j * self.columns + i] = value;
                    }
                }
            }
        }
    }
}
