//! The factor of a Gram matrix.

use crate::{Method, Workers};

/// Placeholder.
pub struct Factor;

/// Why there is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("no damping up to {most} times the mean of its diagonal makes the Gram matrix positive definite")]
pub struct Refused {
    /// Largest share that was tried.
    pub most: f32,
}

impl Factor {
    /// Factor of a symmetric Gram matrix `[columns, columns]`; `None` if the workers were stopped.
    pub fn of(
        _gram: &[f32],
        _columns: usize,
        _method: &Method,
        _workers: &dyn Workers,
    ) -> Result<Option<Factor>, Refused> {
        Ok(None)
    }
    /// The share of the mean diagonal that was added.
    pub fn damp(&self) -> f32 {
        0.0
    }
    /// The group of every column, in natural order: GPTQ's `g_idx`.
    pub fn groups(&self) -> &[u32] {
        &[]
    }
}
