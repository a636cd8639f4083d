//! A model with single weights set to zero: no copy, rows are changed as they are read.

use crate::failure::Failure;
use crate::job::{Overlay, Weights};
use std::collections::BTreeSet;

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

impl Overlay for Zeroed<'_> {
    fn model(&self) -> &dyn Weights {
        self.model
    }

    fn changes(&self, tensor: usize) -> bool {
        self.entries.iter().any(|(changed, ..)| *changed == tensor)
    }

    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.model.read_rows(tensor, first_row, out)?;
        let columns = self.model.description().tensors.get(tensor).map_or(0, |tensor| tensor.columns() as usize);
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
}
