//! What can be wrong with rows of logits, and where.

use std::fmt;

/// Where a row of logits stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Chunk of the text, from 0.
    pub chunk: usize,
    /// Row within the chunk, from 0: what was predicted after having read tokens `0..=row`.
    pub row: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "chunk {}, position {}", self.chunk, self.row)
    }
}

/// A position that cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MeasureError {
    /// A logit is NaN or plus infinity.
    #[error("{place}: the logit of token {token} is {value}; the model computes nothing usable for this text")]
    NotFinite {
        /// Where.
        place: Place,
        /// Index into the vocabulary.
        token: usize,
        /// NaN or infinity.
        value: f32,
    },
    /// All logits are minus infinity, or there are none.
    #[error("{place}: none of {vocabulary} tokens has a probability above zero")]
    NoDistribution {
        /// Where.
        place: Place,
        /// Length of the row.
        vocabulary: usize,
    },
    /// The token to be predicted is not in the vocabulary.
    #[error(
        "{place}: the text's next token is {token}, but the model has {vocabulary} tokens; the text was made with another tokenizer"
    )]
    TargetOutside {
        /// Where.
        place: Place,
        /// Token.
        token: u32,
        /// Length of the row.
        vocabulary: usize,
    },
    /// The token to be predicted has the logit minus infinity.
    #[error(
        "{place}: the model rules out the text's next token {token} (its logit is minus infinity), so perplexity is infinite"
    )]
    ImpossibleTarget {
        /// Where.
        place: Place,
        /// Token.
        token: u32,
    },
    /// The original gives a token a probability, the other model none.
    #[error(
        "{place}: the original expects token {token}, which the other model rules out (its logit is minus infinity), so the divergence is infinite"
    )]
    InfiniteDivergence {
        /// Where.
        place: Place,
        /// The first such token.
        token: usize,
    },
    /// The two models have different vocabularies.
    #[error(
        "{place}: the original has {base} tokens, the other model {other}; only models with the same tokenizer can be compared"
    )]
    VocabularyDiffers {
        /// Where.
        place: Place,
        /// Row of the original.
        base: usize,
        /// Row of the other model.
        other: usize,
    },
    /// The buffer of a chunk does not hold as many rows as there are tokens to predict.
    #[error("chunk {chunk}: {targets} tokens to predict over {vocabulary} tokens need {expected} logits, there are {found}", expected = targets.saturating_mul(*vocabulary))]
    WrongLength {
        /// Chunk.
        chunk: usize,
        /// Tokens to predict.
        targets: usize,
        /// Logits per row.
        vocabulary: usize,
        /// Logits given.
        found: usize,
    },
}
