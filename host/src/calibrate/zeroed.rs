//! A model with single weights set to zero: no copy, rows are changed as they are read.

use crate::failure::Failure;
use crate::job::Weights;
use crate::model::{Fingerprint, NonFinite};
use llmq_plugin_api::wire::ModelDescription;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The model, but for some weights.
pub struct Zeroed<'a> {
    model: &'a dyn Weights,
    /// Tensor, row and column of each.
    entries: BTreeSet<(usize, u64, usize)>,
}

impl<'a> Zeroed<'a> {
    /// A model with the weights of these tensors, rows and columns set to zero.
    pub fn new(model: &'a dyn Weights, entries: impl Iterator<Item = (usize, u64, usize)>) -> Zeroed<'a> {
        Zeroed { model, entries: entries.collect() }
    }
}

impl Weights for Zeroed<'_> {
    fn description(&self) -> &ModelDescription {
        self.model.description()
    }

    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        match self.entries.iter().any(|(changed, ..)| *changed == tensor) {
            true => Ok(&[]),
            false => self.model.bytes(tensor),
        }
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.model.read_rows(tensor, first_row, out)?;
        let columns = self.description().tensors.get(tensor).map_or(0, |tensor| tensor.columns() as usize);
        for (_, row, column) in self.entries.range((tensor, first_row, 0)..=(tensor, u64::MAX, usize::MAX)) {
            let at = (row - first_row).saturating_mul(columns as u64).saturating_add(*column as u64);
            match usize::try_from(at).ok().and_then(|at| out.get_mut(at)) {
                Some(weight) => *weight = 0.0,
                // Entries come in the order of rows, so the others lie behind as well.
                None => break,
            }
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.model.file(name)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        self.model.fingerprint()
    }

    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        self.model.non_finite(tensor)
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

    fn inputs(&self) -> Vec<PathBuf> {
        self.model.inputs()
    }
}
