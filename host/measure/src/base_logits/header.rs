//! The head of a file of log-probabilities: sizes and the text's tokens.

use super::BaseLogitsError;
use crate::Counting;
use std::io::{Read, Write};
use std::ops::Range;

const MAGIC: &[u8; 8] = b"_logits_";

/// Longest chunk that is believed.
const MOST_CONTEXT: i64 = 1 << 24;

/// Largest vocabulary that is believed: sixty times the largest of today.
const MOST_VOCABULARY: i64 = 1 << 24;

/// Longest text that is believed, in tokens.
const MOST_TOKENS: i64 = 1 << 31;

/// Tokens are read in pieces of this many, so that memory is taken only for what the file holds.
const PIECE: usize = 1 << 16;

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Tokens per chunk (`n_ctx`), at least 2.
    pub context: u32,
    /// Tokens in the vocabulary, at least 1.
    pub vocabulary: u32,
    /// Chunks.
    pub chunks: u32,
    /// The text: `context * chunks` tokens, all in the vocabulary.
    pub tokens: Vec<u32>,
}

impl Header {
    /// The rows of each chunk that the file has: those of [`Counting::SecondHalf`].
    pub fn rows(&self) -> Range<usize> {
        Counting::SecondHalf.rows(self.context as usize)
    }

    /// The tokens of a chunk; `None` behind the last.
    pub fn chunk(&self, chunk: usize) -> Option<&[u32]> {
        let context = self.context as usize;
        self.tokens.get(chunk.checked_mul(context)?..)?.get(..context)
    }

    /// The tokens that a chunk's rows are scored against, one per row of the file.
    pub fn targets(&self, chunk: usize) -> Option<&[u32]> {
        let rows = self.rows();
        self.chunk(chunk)?.get(rows.start + 1..rows.end + 1)
    }

    /// Bytes of one row, padding included.
    pub fn row_bytes(&self) -> usize {
        let vocabulary = self.vocabulary as usize;
        8 + 2 * (vocabulary + vocabulary % 2)
    }

    /// Length of the whole file in bytes, for checks before long work; `None` if no file can be that long.
    pub fn file_bytes(&self) -> Option<u64> {
        let rows = self.rows().len() as u64 * u64::from(self.chunks);
        (self.tokens.len() as u64 * 4 + 20).checked_add(rows.checked_mul(self.row_bytes() as u64)?)
    }

    pub(super) fn of_text(context: u32, vocabulary: u32, tokens: &[u32]) -> Result<Self, BaseLogitsError> {
        within("n_ctx", i64::from(context), 2, MOST_CONTEXT)?;
        within("n_vocab", i64::from(vocabulary), 1, MOST_VOCABULARY)?;
        within("the number of tokens", tokens.len() as i64, 0, MOST_TOKENS)?;
        if !tokens.len().is_multiple_of(context as usize) {
            return Err(BaseLogitsError::Text { tokens: tokens.len(), context });
        }
        for (index, token) in tokens.iter().enumerate() {
            known(index as u64, i64::from(*token), vocabulary)?;
        }
        let chunks = (tokens.len() / context as usize) as u32;
        Ok(Self { context, vocabulary, chunks, tokens: tokens.to_vec() })
    }

    pub(super) fn read(from: &mut impl Read) -> Result<Self, BaseLogitsError> {
        let reading = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                BaseLogitsError::Truncated { place: "its header".to_owned(), chunks: 0, context: 0 }
            }
            _ => BaseLogitsError::Io { doing: "reading", source },
        };
        let mut found = [0; 8];
        from.read_exact(&mut found).map_err(reading)?;
        if found != *MAGIC {
            return Err(BaseLogitsError::Magic { found });
        }
        let mut number = || -> Result<i64, BaseLogitsError> {
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes).map_err(reading)?;
            Ok(i64::from(i32::from_le_bytes(bytes)))
        };
        let context = within("n_ctx", number()?, 2, MOST_CONTEXT)?;
        let vocabulary = within("n_vocab", number()?, 1, MOST_VOCABULARY)?;
        let chunks = within("n_chunk", number()?, 0, MOST_TOKENS / i64::from(context))?;
        let count = u64::from(context) * u64::from(chunks);
        let mut tokens = Vec::new();
        let mut piece = vec![0; 4 * PIECE.min(count as usize)];
        while (tokens.len() as u64) < count {
            let wanted = PIECE.min((count - tokens.len() as u64) as usize);
            let bytes = &mut piece[..4 * wanted];
            from.read_exact(bytes).map_err(|source| match source.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    BaseLogitsError::Truncated { place: "the text's tokens".to_owned(), chunks, context }
                }
                _ => BaseLogitsError::Io { doing: "reading", source },
            })?;
            for bytes in bytes.as_chunks::<4>().0 {
                let value = i64::from(i32::from_le_bytes(*bytes));
                tokens.push(known(tokens.len() as u64, value, vocabulary)?);
            }
        }
        Ok(Self { context, vocabulary, chunks, tokens })
    }

    pub(super) fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        to.write_all(MAGIC)?;
        for number in [self.context, self.vocabulary, self.chunks] {
            to.write_all(&number.to_le_bytes())?;
        }
        for tokens in self.tokens.chunks(PIECE) {
            let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
            to.write_all(&bytes)?;
        }
        Ok(())
    }
}

fn within(what: &'static str, value: i64, least: i64, most: i64) -> Result<u32, BaseLogitsError> {
    let outside = BaseLogitsError::Header { what, value, least, most };
    if value < least || value > most {
        return Err(outside);
    }
    u32::try_from(value).map_err(|_| outside)
}

fn known(index: u64, value: i64, vocabulary: u32) -> Result<u32, BaseLogitsError> {
    match u32::try_from(value) {
        Ok(token) if token < vocabulary => Ok(token),
        _ => Err(BaseLogitsError::Token { index, value, vocabulary }),
    }
}
