//! GPTQ: rounding with the error of each column fed into the columns that follow.

use crate::{Factor, Method, Steps};

/// A rounded matrix, or some rows of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounded {
    /// Codes, `[rows, columns]`.
    pub codes: Vec<u8>,
    /// Steps, `[rows, groups]`.
    pub steps: Vec<Steps>,
    /// tr(dW G dW^T): what the rounding changes at the output, summed over the calibration's tokens.
    pub error: f64,
    /// tr(W G W^T): the output itself.
    pub size: f64,
}

/// Rounds some rows.
pub fn round(_weights: &[f32], _factor: &Factor, _method: &Method) -> Rounded {
    unreachable!()
}
