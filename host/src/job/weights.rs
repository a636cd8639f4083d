//! Where weights come from: a Hugging Face folder today, any readable format for conversions.

use crate::failure::Failure;
use llmq_plugin_api::wire::ModelDescription;

/// A source model. Indices are positions in the description's tensor list.
pub trait Weights: Send + Sync {
    /// Everything but the numbers.
    fn description(&self) -> &ModelDescription;

    /// The stored bytes of a tensor in its described dtype, or empty if only [`Weights::read_rows`] can tell.
    fn bytes(&self, index: usize) -> Result<&[u8], Failure>;

    /// Whole rows as f32.
    fn read_rows(&self, index: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure>;

    /// A side file named in the description.
    fn file(&self, name: &str) -> Result<Vec<u8>, Failure>;

    /// Two texts that stay equal as long as the model does: what it holds, and when it was last changed.
    fn fingerprint(&self) -> Result<(String, String), Failure>;

    /// Position, in elements, of the first weight that is not a finite number.
    fn first_non_finite(&self, index: usize) -> Result<Option<u64>, Failure>;

    /// A hint that a tensor is wanted soon.
    fn will_need(&self, index: usize) {
        let _ = index;
    }

    /// A hint that a tensor is not wanted any more.
    fn done_with(&self, index: usize) {
        let _ = index;
    }

    /// Fails if the model was changed since it was opened.
    fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(())
    }
}
