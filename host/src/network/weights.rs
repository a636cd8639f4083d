//! A source model's numbers, as the forward pass wants them.

use crate::job::Weights;
use llmq_forward::WeightsError;

/// The rows of a source model.
pub struct SourceRows<'a>(pub &'a dyn Weights);

impl llmq_forward::Weights for SourceRows<'_> {
    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), WeightsError> {
        self.0.read_rows(tensor, first_row, out).map_err(Into::into)
    }
}
