//! Where a pass that only looks on may stop: in front of weights that nobody needs for what is looked at.

use crate::network::SourceRows;
use llmq_forward::{Weights, WeightsError};

/// Weights of all tensors but some.
pub struct Until<'a> {
    /// All.
    pub rows: SourceRows<'a>,
    /// Those that end the pass.
    pub tensors: &'a [usize],
}

/// No fault: all was seen that was to be seen.
#[derive(Debug, thiserror::Error)]
#[error("the pass ends here")]
pub struct Enough;

impl Weights for Until<'_> {
    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), WeightsError> {
        match self.tensors.contains(&tensor) {
            true => Err(Box::new(Enough)),
            false => self.rows.rows(tensor, first_row, out),
        }
    }
}
