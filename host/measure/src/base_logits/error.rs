//! What can be wrong with a file of log-probabilities.

use crate::error::MeasureError;

/// A file of log-probabilities that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BaseLogitsError {
    /// The file itself.
    #[error("{doing} the file of log-probabilities: {source}")]
    Io {
        /// "reading" or "writing".
        doing: &'static str,
        /// Cause.
        source: std::io::Error,
    },
    /// It does not begin with `_logits_`.
    #[error(
        "this is no file of log-probabilities: it begins with {found:?} in place of `_logits_`; llama-perplexity --kl-divergence-base makes one"
    )]
    Magic {
        /// The first eight bytes.
        found: [u8; 8],
    },
    /// A number of the header is outside of what makes sense.
    #[error("{what} is {value} in the file of log-probabilities, which is outside of {least}..={most}")]
    Header {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: i64,
        /// Least.
        least: i64,
        /// Most.
        most: i64,
    },
    /// A token outside the vocabulary.
    #[error(
        "token {index} of the text in the file of log-probabilities is {value}; the file's vocabulary has {vocabulary} tokens"
    )]
    Token {
        /// Place in the text.
        index: u64,
        /// Value.
        value: i64,
        /// Tokens in the vocabulary.
        vocabulary: u32,
    },
    /// It ends early.
    #[error(
        "the file of log-probabilities ends within {place}; it promises {chunks} chunks of {context} tokens. Make it anew, or copy it again"
    )]
    Truncated {
        /// Where.
        place: String,
        /// Chunks promised.
        chunks: u32,
        /// Tokens per chunk.
        context: u32,
    },
    /// Bytes behind the last chunk.
    #[error("bytes follow the last of {chunks} chunks in the file of log-probabilities; it was not written by one run")]
    Trailing {
        /// Chunks promised.
        chunks: u32,
    },
    /// A row whose numbers are no log-probabilities.
    #[error(
        "chunk {chunk}, position {row} of the file of log-probabilities: scale {scale} and minimum {least} give no log-probabilities"
    )]
    Row {
        /// Chunk.
        chunk: usize,
        /// Row within the chunk.
        row: usize,
        /// Scale.
        scale: f32,
        /// Smallest log-probability.
        least: f32,
    },
    /// The rows that were written are not those that the header promised.
    #[error("{written} rows of log-probabilities were written, the header promises {promised}")]
    Rows {
        /// Written.
        written: u64,
        /// Promised.
        promised: u64,
    },
    /// A row to be written has another length than the vocabulary.
    #[error("a row of {found} logits was to be written into a file over {vocabulary} tokens")]
    RowLength {
        /// Logits given.
        found: usize,
        /// Tokens in the vocabulary.
        vocabulary: u32,
    },
    /// A text to be written is no whole number of chunks.
    #[error("{tokens} tokens are no whole number of chunks of {context}")]
    Text {
        /// Tokens given.
        tokens: usize,
        /// Tokens per chunk.
        context: u32,
    },
    /// Logits that are none.
    #[error(transparent)]
    Logits(#[from] MeasureError),
}
