//! A model with scales folded into it: no copy, rows are changed as they are read.

use super::Changes;
use crate::failure::Failure;
use crate::job::Weights;
use crate::model::{Fingerprint, NonFinite};
use llmq_plugin_api::wire::ModelDescription;
use std::path::PathBuf;

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

impl Weights for Folded<'_> {
    fn description(&self) -> &ModelDescription {
        self.model.description()
    }

    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        match self.changes.touch(tensor) {
            true => Ok(&[]),
            false => self.model.bytes(tensor),
        }
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.model.read_rows(tensor, first_row, out)?;
        let columns = self.description().tensors.get(tensor).map_or(1, |tensor| tensor.columns() as usize);
        self.changes.apply(tensor, columns, first_row, out);
        Ok(())
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.model.file(name)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        self.model.fingerprint()
    }

    /// Of what is folded the numbers that come out: a scale may take one beyond the range.
    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        let Some(described) = self.description().tensors.get(tensor).filter(|_| self.changes.touch(tensor)) else {
            return self.model.non_finite(tensor);
        };
        let mut values = vec![0.0; described.columns() as usize];
        for row in 0..described.rows() {
            self.read_rows(tensor, row, &mut values)?;
            if let Some(column) = values.iter().position(|w| !w.is_finite()) {
                return Ok(Some(NonFinite { row, column: column as u64, value: values[column] }));
            }
        }
        Ok(None)
    }

    fn notes(&self) -> &[String] {
        self.model.notes()
    }

    fn source_bytes(&self) -> u64 {
        self.model.source_bytes()
    }

    fn will_need(&self, unit: usize) {
        self.model.will_need(unit);
    }

    fn done_with(&self, unit: usize, forget: bool) {
        self.model.done_with(unit, forget);
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        self.model.check_unchanged()
    }

    fn encoding(&self, tensor: usize) -> Option<&str> {
        self.model.encoding(tensor)
    }

    fn stored_bytes(&self, tensor: usize) -> u64 {
        self.model.stored_bytes(tensor)
    }

    fn stored_format(&self) -> Option<(&str, &str)> {
        self.model.stored_format()
    }

    fn inputs(&self) -> Vec<PathBuf> {
        self.model.inputs()
    }
}
