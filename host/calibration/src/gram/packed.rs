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
        // Zeros are written here: of memory that is zero without that, every page would be copied when it is first added to,
        // and all threads interrupted for it (a twelfth of the time of a layer with 4096 channels).
        let mut values = Vec::new();
        values.resize(row_start(columns), 0.0);
        Gram { columns, values }
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
        for (i, row) in out.chunks_exact_mut(self.columns.max(1)).enumerate() {
            let values = &self.values[row_start(i)..row_start(i + 1)];
            row.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32);
        }
        mirror(out, self.columns);
    }
}

/// Copies what is below the diagonal of a row-major matrix to its other side.
pub(crate) fn mirror(dense: &mut [f32], columns: usize) {
    // In squares, because one of the two goes down a column.
    const SQUARE: usize = 32;
    for rows in (0..columns).step_by(SQUARE) {
        for first in (0..=rows).step_by(SQUARE) {
            for i in rows..columns.min(rows + SQUARE) {
                for j in first..i.min(first + SQUARE) {
                    dense[j * columns + i] = dense[i * columns + j];
                }
            }
        }
    }
}
