//! Writing: the header with the whole text, then one row at a time.

use super::{BaseLogitsError, Header};
use crate::error::Place;
use crate::softmax::LogSoftmax;
use std::io::Write;

/// What lies further below the likeliest token is raised to this distance, in nats.
const DEPTH: f32 = 16.0;

/// Writes a file of log-probabilities that llama-perplexity reads.
#[derive(Debug)]
pub struct BaseLogitsWriter<W> {
    to: W,
    header: Header,
    written: u64,
}

impl<W: Write> BaseLogitsWriter<W> {
    /// Writes the header. `tokens` is the text, a whole number of chunks of `context` tokens, as tokenized: without the
    /// BOS token that stands in place of each chunk's first when the model reads it.
    ///
    /// # Errors
    /// [`BaseLogitsError`].
    pub fn create(mut to: W, context: u32, vocabulary: u32, tokens: &[u32]) -> Result<Self, BaseLogitsError> {
        let header = Header::of_text(context, vocabulary, tokens)?;
        header.write(&mut to).map_err(writing)?;
        Ok(Self { to, header, written: 0 })
    }

    /// Sizes and text.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes the next row: logits of the rows [`Header::rows`] of chunk 0, then of chunk 1, and so on.
    ///
    /// # Errors
    /// A row of another length, more rows than promised, logits without a distribution, or the file.
    pub fn row(&mut self, logits: &[f32]) -> Result<(), BaseLogitsError> {
        let rows = self.header.rows();
        let place = Place {
            chunk: self.written.checked_div(rows.len() as u64).unwrap_or(0) as usize,
            row: rows.start + self.written.checked_rem(rows.len() as u64).unwrap_or(0) as usize,
        };
        let row = self.header.encode(logits, place)?;
        self.encoded(&row)
    }

    /// Writes the next row, which [`Header::encode`] made.
    ///
    /// # Errors
    /// A row of another vocabulary, more rows than promised, or the file.
    pub fn encoded(&mut self, row: &EncodedRow) -> Result<(), BaseLogitsError> {
        let promised = self.promised();
        if row.0.len() != self.header.row_bytes() {
            let found = row.0.len().saturating_sub(8) / 2;
            return Err(BaseLogitsError::RowLength { found, vocabulary: self.header.vocabulary });
        }
        if self.written >= promised {
            return Err(BaseLogitsError::Rows { written: self.written + 1, promised });
        }
        self.to.write_all(&row.0).map_err(writing)?;
        self.written += 1;
        Ok(())
    }

    /// Flushes and gives the file back.
    ///
    /// # Errors
    /// Fewer rows than promised, or the file.
    pub fn finish(mut self) -> Result<W, BaseLogitsError> {
        let promised = self.promised();
        if self.written != promised {
            return Err(BaseLogitsError::Rows { written: self.written, promised });
        }
        self.to.flush().map_err(writing)?;
        Ok(self.to)
    }

    fn promised(&self) -> u64 {
        self.header.rows().len() as u64 * u64::from(self.header.chunks)
    }
}

/// A row as the file has it, padding included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRow(Vec<u8>);

impl Header {
    /// A row for [`BaseLogitsWriter::encoded`]: rows can be made side by side, and are written in order. `place` is for
    /// words about what went wrong.
    ///
    /// In single precision, as the tool does it, so that equal logits give equal levels. Only the logarithm of the sum is
    /// taken more exactly.
    ///
    /// # Errors
    /// A row of another length, or logits without a distribution.
    pub fn encode(&self, logits: &[f32], place: Place) -> Result<EncodedRow, BaseLogitsError> {
        if logits.len() != self.vocabulary as usize {
            return Err(BaseLogitsError::RowLength { found: logits.len(), vocabulary: self.vocabulary });
        }
        let softmax = LogSoftmax::of(logits, place)?;
        // A logit of the row, so nothing is rounded.
        let largest = softmax.largest as f32;
        let least = logits.iter().copied().fold(largest, f32::min).max(largest - DEPTH);
        let scale = (largest - least) / 65535.0;
        let least_log_probability = least - largest - softmax.log_sum as f32;
        let mut row = Vec::with_capacity(self.row_bytes());
        row.extend(scale.to_le_bytes());
        row.extend(least_log_probability.to_le_bytes());
        let inverse = 1.0 / scale;
        for logit in logits {
            let level = if scale > 0.0 && *logit > least {
                // Saturates where rounding leads beyond the last level.
                (inverse * (logit - least)).round_ties_even() as u16
            } else {
                0
            };
            row.extend(level.to_le_bytes());
        }
        row.resize(self.row_bytes(), 0);
        Ok(EncodedRow(row))
    }
}

fn writing(source: std::io::Error) -> BaseLogitsError {
    BaseLogitsError::Io { doing: "writing", source }
}
