//! A model with scales folded into it: no copy, rows are changed as they are read.

use super::Changes;
use crate::failure::Failure;
use crate::job::{Overlay, Weights};
use crate::model::NonFinite;

/// The model, but for the tensors that folding touches.
pub struct Folded<'a> {
    model: &'a dyn Weights,
    changes: &'a Changes,
}

impl<'a> Folded<'a> {
    /// A model with these changes.
    pub fn new(model: &'a dyn Weights, changes: &'a Changes) -> Folded<'a> {
        Folded { model, changes }
    }
}

impl Overlay for Folded<'_> {
    fn model(&self) -> &dyn Weights {
        self.model
    }

    fn changes(&self, tensor: usize) -> bool {
        self.changes.touch(tensor)
    }

    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.model.read_rows(tensor, first_row, out)?;
        let columns = self.model.description().tensors.get(tensor).map_or(1, |tensor| tensor.columns() as usize);
        self.changes.apply(tensor, columns, first_row, out);
        Ok(())
    }

    /// Of what is folded the numbers that come out: a scale may take one beyond the range.
    fn first_non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        let Some(described) = self.model.description().tensors.get(tensor).filter(|_| self.changes.touch(tensor))
        else {
            return self.model.non_finite(tensor);
        };
        let mut values = vec![0.0; described.columns() as usize];
        for row in 0..described.rows() {
            self.rows(tensor, row, &mut values)?;
            if let Some(column) = values.iter().position(|w| !w.is_finite()) {
                return Ok(Some(NonFinite { row, column: column as u64, value: values[column] }));
            }
        }
        Ok(None)
    }
}
