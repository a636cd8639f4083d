//! The model on its way: tensors that are in the output as its reader decodes them, all others as the source has them.

use super::ReadBack;
use crate::failure::Failure;
use crate::job::{Overlay, Weights};
use std::sync::atomic::{AtomicBool, Ordering};

/// A model that is being replaced, tensor by tensor.
pub struct Growing<'a> {
    model: &'a dyn Weights,
    output: ReadBack,
    /// By tensor, whether it is in the output.
    there: Vec<AtomicBool>,
}

impl<'a> Growing<'a> {
    /// Nothing of it is in the output yet.
    pub fn new(model: &'a dyn Weights, output: ReadBack) -> Growing<'a> {
        let there = model.description().tensors.iter().map(|_| AtomicBool::new(false)).collect();
        Growing { model, output, there }
    }

    /// These tensors are in the output now. What it does not hold stays the source's: a head that shares the embedding, for
    /// example.
    pub fn take(&self, tensors: &[usize]) {
        for tensor in tensors.iter().filter(|tensor| self.output.holds(**tensor)) {
            self.there[*tensor].store(true, Ordering::Release);
        }
    }
}

impl Overlay for Growing<'_> {
    fn model(&self) -> &dyn Weights {
        self.model
    }

    fn changes(&self, tensor: usize) -> bool {
        self.there.get(tensor).is_some_and(|there| there.load(Ordering::Acquire))
    }

    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        match self.changes(tensor) {
            true => self.output.rows(tensor, first_row, out),
            false => self.model.read_rows(tensor, first_row, out),
        }
    }
}
