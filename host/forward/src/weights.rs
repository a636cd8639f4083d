//! Which numbers a network wants: linear layers and vectors by tensor, and where their rows come from.

use crate::ForwardError;
use rayon::prelude::*;

/// Why a tensor could not be read, in the words of whoever reads it.
pub type WeightsError = Box<dyn std::error::Error + Send + Sync>;

/// Where numbers come from. Tensors are known by the caller's own indices.
pub trait Weights: Sync {
    /// Fills `out` with whole rows of a tensor from `first_row` on, in single precision. A vector is one row; tensors of
    /// more than two dimensions have as rows what their last dimension holds.
    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), WeightsError>;
}

/// How the matrix of a linear layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A row per output, as torch's Linear has it.
    OutputRows,
    /// A row per input, as GPT-2's Conv1D has it.
    InputRows,
}

/// One row of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vector {
    /// Tensor.
    pub tensor: usize,
    /// Row of it.
    pub row: u64,
    /// Numbers.
    pub length: usize,
}

impl Vector {
    /// Reads it.
    pub fn load(&self, weights: &dyn Weights) -> Result<Vec<f32>, ForwardError> {
        let mut values = vec![0.0; self.length];
        weights.rows(self.tensor, self.row, &mut values)?;
        Ok(values)
    }
}

/// y = x W^T + b, x of `inputs` and y of `outputs` numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Tensor that holds W.
    pub weight: usize,
    /// Row of the tensor with which W begins: above 0 for the experts of a tensor that holds all of them.
    pub first_row: u64,
    /// How W is stored.
    pub storage: Storage,
    /// Numbers that arrive.
    pub inputs: usize,
    /// Numbers that leave.
    pub outputs: usize,
    /// b, if any.
    pub bias: Option<Vector>,
}

impl Linear {
    /// W as it is stored, whole: `inputs * outputs` numbers.
    pub(crate) fn whole(&self, weights: &dyn Weights) -> Result<Vec<f32>, ForwardError> {
        /// Numbers that one thread reads at a time.
        const PIECE: usize = 1 << 18;
        let columns = match self.storage {
            Storage::OutputRows => self.inputs,
            Storage::InputRows => self.outputs,
        };
        let mut values = vec![0.0; self.inputs * self.outputs];
        let rows = (PIECE / columns.max(1)).max(1);
        values
            .par_chunks_mut(rows * columns.max(1))
            .enumerate()
            .try_for_each(|(piece, out)| weights.rows(self.weight, self.first_row + (piece * rows) as u64, out))?;
        Ok(values)
    }
}
