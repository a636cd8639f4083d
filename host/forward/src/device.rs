//! What a computing device does for a forward pass; the processor is one, a GPU another.

use crate::{Activation, ForwardError, Linear, NormKind, Rotation, Rows, Weights};
use std::borrow::Cow;
use std::ops::Range;

/// A norm with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NormValues {
    /// What is divided by.
    pub kind: NormKind,
    /// Added under the root.
    pub epsilon: f32,
    /// Factors, offset included: one per column, those of one group of columns for all groups, or none.
    pub weight: Vec<f32>,
    /// Summand per column.
    pub bias: Option<Vec<f32>>,
}

/// Geometry of softmax attention over samples of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Attend {
    /// Tokens of a sample.
    pub length: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads, a divisor of `heads`.
    pub kv_heads: usize,
    /// Width of query and key heads.
    pub head_dim: usize,
    /// Width of value heads.
    pub value_dim: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// c of c tanh(score / c).
    pub cap: Option<f32>,
    /// Tokens that a token sees, itself included.
    pub window: Option<usize>,
    /// A score per head that takes a share and gives nothing.
    pub sinks: Option<Vec<f32>>,
}

/// Where rows of an expert's result go.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    /// Row that each is added to.
    pub rows: &'a [u32],
    /// What each is multiplied by.
    pub weights: &'a [f32],
}

/// A computing device. Its matrices have a row per token; every operation gives the same numbers whatever the number of
/// threads.
pub trait Device: Sync {
    /// Rows in the device's memory.
    type Matrix: Send;

    /// Moves rows to the device.
    fn upload(&self, rows: Rows) -> Result<Self::Matrix, ForwardError>;

    /// Moves rows from the device.
    fn download(&self, matrix: Self::Matrix) -> Result<Rows, ForwardError>;

    /// Looks at a matrix.
    fn rows<'a>(&self, matrix: &'a Self::Matrix) -> Result<Cow<'a, Rows>, ForwardError>;

    /// Takes a matrix back that nobody wants any more, so that its memory may serve another.
    fn discard(&self, matrix: Self::Matrix) {
        drop(matrix);
    }

    /// x W^T + b of every linear layer, in their order.
    fn linears(
        &self,
        x: &Self::Matrix,
        linears: &[&Linear],
        weights: &dyn Weights,
    ) -> Result<Vec<Self::Matrix>, ForwardError>;

    /// x W^T + b of one.
    fn linear(&self, x: &Self::Matrix, linear: &Linear, weights: &dyn Weights) -> Result<Self::Matrix, ForwardError> {
        let mut all = self.linears(x, &[linear], weights)?;
        let found = all.len();
        all.pop().ok_or(ForwardError::Shape { what: "the results of a linear layer", found, expected: 1 })
    }

    /// x W^T + b of `N` of them.
    fn linear_of_each<const N: usize>(
        &self,
        x: &Self::Matrix,
        linears: [&Linear; N],
        weights: &dyn Weights,
    ) -> Result<[Self::Matrix; N], ForwardError> {
        let all = self.linears(x, &linears, weights)?;
        let found = all.len();
        all.try_into().map_err(|_| ForwardError::Shape { what: "the results of linear layers", found, expected: N })
    }

    /// activation(gate(x)) * up(x), by a device that has a better way for these layers than one step after the other.
    fn gated(
        &self,
        _x: &Self::Matrix,
        (_gate, _up): (&Linear, &Linear),
        _activation: Activation,
        _weights: &dyn Weights,
    ) -> Result<Option<Self::Matrix>, ForwardError> {
        Ok(None)
    }

    /// Normalises groups of `group` neighbouring columns.
    fn norm(&self, x: &Self::Matrix, norm: &NormValues, group: usize) -> Result<Self::Matrix, ForwardError>;

    /// Rotates the first `2 * rotation.pairs` columns of every `head_dim` from column `from` on; row r has position
    /// r % length.
    fn rotate(
        &self,
        x: &mut Self::Matrix,
        rotation: &Rotation,
        head_dim: usize,
        from: usize,
        length: usize,
    ) -> Result<(), ForwardError>;

    /// Causal softmax attention.
    fn attend(
        &self,
        q: &Self::Matrix,
        k: &Self::Matrix,
        v: &Self::Matrix,
        attend: &Attend,
    ) -> Result<Self::Matrix, ForwardError>;

    /// Makes `up` activation(gate) * up, or activation(up) without a gate.
    fn activate(
        &self,
        activation: Activation,
        gate: Option<&Self::Matrix>,
        up: &mut Self::Matrix,
    ) -> Result<(), ForwardError>;

    /// into += factor * what.
    fn add(&self, into: &mut Self::Matrix, what: &Self::Matrix, factor: f32) -> Result<(), ForwardError>;

    /// Multiplies every row by the sigmoid of its one logit.
    fn gate_rows(&self, x: &mut Self::Matrix, logits: &Self::Matrix) -> Result<(), ForwardError>;

    /// Keeps every number within +-limit.
    fn clamp(&self, x: &mut Self::Matrix, limit: f32) -> Result<(), ForwardError>;

    /// Copies runs of columns into a matrix of their own, one run behind the other.
    fn columns(&self, x: &Self::Matrix, runs: &[Range<usize>]) -> Result<Self::Matrix, ForwardError>;

    /// Every second column from `first` on.
    fn alternate(&self, x: &Self::Matrix, first: usize) -> Result<Self::Matrix, ForwardError>;

    /// Heads `a_dim` wide of one matrix, each followed by a head `b_dim` wide of another; a `b` with a single head serves
    /// all.
    fn join_heads(
        &self,
        a: &Self::Matrix,
        a_dim: usize,
        b: &Self::Matrix,
        b_dim: usize,
    ) -> Result<Self::Matrix, ForwardError>;

    /// Some of the rows.
    fn gather(&self, x: &Self::Matrix, rows: &[u32]) -> Result<Self::Matrix, ForwardError>;

    /// Adds weighed rows to others.
    fn spread(&self, into: &mut Self::Matrix, what: &Self::Matrix, spread: Spread<'_>) -> Result<(), ForwardError>;
}
