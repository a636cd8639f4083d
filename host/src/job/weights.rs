//! Where weights come from: a Hugging Face folder, or files of any readable format ([`crate::stored`]).

use crate::failure::Failure;
use crate::model::{Fingerprint, Model, NonFinite};
use llmq_plugin_api::wire::ModelDescription;
use std::path::PathBuf;

/// A source model. Indices are positions in the description's lists.
pub trait Weights: Send + Sync {
    /// Everything but the numbers.
    fn description(&self) -> &ModelDescription;

    /// The stored bytes of a tensor in its described dtype, or empty if only [`Weights::read_rows`] can tell.
    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure>;

    /// Whole rows as f32.
    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure>;

    /// A side file named in the description.
    fn file(&self, name: &str) -> Result<Vec<u8>, Failure>;

    /// Identity, for resuming.
    fn fingerprint(&self) -> Result<Fingerprint, Failure>;

    /// The first weight of a tensor that is not a finite number.
    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure>;

    /// Sentences about what was noticed when the model was opened.
    fn notes(&self) -> &[String];

    /// Bytes of all tensors as stored.
    fn source_bytes(&self) -> u64;

    /// Hints that the tensors of a unit are wanted soon.
    fn will_need(&self, unit: usize);

    /// Hints that the tensors of a unit are not wanted any more. With `forget` the system's cache need not keep them either.
    fn done_with(&self, unit: usize, forget: bool);

    /// Fails if the model was changed since it was opened.
    fn check_unchanged(&self) -> Result<(), Failure>;

    /// The encoding that a tensor is stored in, if it is quantized already.
    fn encoding(&self, tensor: usize) -> Option<&str> {
        let _ = tensor;
        None
    }

    /// Bytes of a tensor as stored; 0 where they cannot be told.
    fn stored_bytes(&self, tensor: usize) -> u64 {
        self.bytes(tensor).map_or(0, |bytes| bytes.len() as u64)
    }

    /// Format and level in the words of the reader; `None` for a Hugging Face folder.
    fn stored_format(&self) -> Option<(&str, &str)> {
        None
    }

    /// Files that the weights are read from, where they are not all in the model's folder.
    fn inputs(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl Weights for Model {
    fn description(&self) -> &ModelDescription {
        Model::description(self)
    }

    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        Ok(self.tensor(tensor)?.bytes)
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        Ok(self.read_rows_f32(tensor, first_row, out)?)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(Model::file(self, name)?)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        Ok(Model::fingerprint(self)?)
    }

    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        Ok(self.find_non_finite(tensor)?)
    }

    fn notes(&self) -> &[String] {
        Model::notes(self)
    }

    fn source_bytes(&self) -> u64 {
        Model::source_bytes(self)
    }

    fn will_need(&self, unit: usize) {
        self.advise_will_need(unit);
    }

    fn done_with(&self, unit: usize, forget: bool) {
        self.advise_done(unit, forget);
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(Model::check_unchanged(self)?)
    }
}
