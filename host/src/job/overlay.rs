//! A model of which some tensors are changed as they are read: no copy, and all else is the model's own.

use super::Weights;
use crate::failure::Failure;
use crate::model::{Fingerprint, NonFinite};
use llmq_plugin_api::wire::ModelDescription;
use std::path::PathBuf;

/// What is different about the model. Indices are positions in its description's lists.
pub trait Overlay: Send + Sync {
    /// The model below.
    fn model(&self) -> &dyn Weights;

    /// Whether a tensor is changed: its stored bytes are not its numbers then.
    fn changes(&self, tensor: usize) -> bool;

    /// Whole rows as f32, of changed tensors and of others.
    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure>;

    /// The first weight of a tensor that is not a finite number. A change that can make one has to look.
    fn first_non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        self.model().non_finite(tensor)
    }
}

impl<T: Overlay> Weights for T {
    fn description(&self) -> &ModelDescription {
        self.model().description()
    }

    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        if self.changes(tensor) { Ok(&[]) } else { self.model().bytes(tensor) }
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.rows(tensor, first_row, out)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.model().file(name)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        self.model().fingerprint()
    }

    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        self.first_non_finite(tensor)
    }

    fn notes(&self) -> &[String] {
        self.model().notes()
    }

    fn source_bytes(&self) -> u64 {
        self.model().source_bytes()
    }

    fn will_need(&self, unit: usize) {
        self.model().will_need(unit);
    }

    fn done_with(&self, unit: usize, forget: bool) {
        self.model().done_with(unit, forget);
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        self.model().check_unchanged()
    }

    fn encoding(&self, tensor: usize) -> Option<&str> {
        self.model().encoding(tensor)
    }

    fn stored_bytes(&self, tensor: usize) -> u64 {
        self.model().stored_bytes(tensor)
    }

    fn stored_format(&self) -> Option<(&str, &str)> {
        self.model().stored_format()
    }

    fn inputs(&self) -> Vec<PathBuf> {
        self.model().inputs()
    }
}
