//! What can go wrong in a forward pass.

use crate::weights::WeightsError;

/// Why a forward pass stopped.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// A tensor could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A token has no row in the embedding table.
    #[error("token {token} at position {position} has no row in an embedding table of {vocab} rows")]
    Token {
        /// The token id.
        token: u32,
        /// Its position among the given tokens.
        position: usize,
        /// Rows of the table.
        vocab: usize,
    },
    /// The text is longer than the table of learned positions.
    #[error("samples of {length} tokens are longer than the {context} learned positions of this model")]
    Context {
        /// Tokens of a sample.
        length: usize,
        /// Rows of the table.
        context: usize,
    },
    /// Rows of another width than the network's arrived.
    #[error("{what} has rows of {found} numbers where {expected} are expected")]
    Shape {
        /// What it is.
        what: &'static str,
        /// Columns found.
        found: usize,
        /// Columns expected.
        expected: usize,
    },
    /// Rows that make no whole number of samples.
    #[error("{rows} rows are no whole number of samples of {length} tokens")]
    Samples {
        /// Rows.
        rows: usize,
        /// Tokens of a sample.
        length: usize,
    },
}
