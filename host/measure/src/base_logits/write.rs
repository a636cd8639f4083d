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
    row: Vec<u8>,
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
        let row = Vec::with_capacity(header.row_bytes());
        Ok(Self { to, header, written: 0, row })
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
        let promised = self.promised();
        if logits.len() != self.header.vocabulary as usize {
            return Err(BaseLogitsError::RowLength { found: logits.len(), vocabulary: self.header.vocabulary });
        }
        if self.written >= promised {
            return Err(BaseLogitsError::Rows { written: self.written + 1, promised });
        }
        let rows = self.header.rows();
        let place = Place {
            chunk: (self.written / rows.len() as u64) as usize,
            row: rows.start + (self.written % rows.len() as u64) as usize,
        };
        self.encode(logits, place)?;
        self.to.write_all(&self.row).map_err(writing)?;
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

    /// In single precision, as the tool does it, so that equal logits give equal levels. Only the logarithm of the sum is
    /// taken more exactly.
    fn encode(&mut self, logits: &[f32], place: Place) -> Result<(), BaseLogitsError> {
        let softmax = LogSoftmax::of(logits, place)?;
        // A logit of the row, so nothing is rounded.
        let largest = softmax.largest as f32;
        let least = logits.iter().copied().fold(largest, f32::min).max(largest - DEPTH);
        let scale = (largest - least) / 65535.0;
        let least_log_probability = least - largest - softmax.log_sum as f32;
        self.row.clear();
        self.row.extend(scale.to_le_bytes());
        self.row.extend(least_log_probability.to_le_bytes());
        let inverse = 1.0 / scale;
        for logit in logits {
            let level = if scale > 0.0 && *logit > least {
                // Saturates where rounding leads beyond the last level.
                (inverse * (logit - least)).round_ties_even() as u16
            } else {
                0
            };
            self.row.extend(level.to_le_bytes());
        }
        self.row.resize(self.header.row_bytes(), 0);
        Ok(())
    }
}

fn writing(source: std::io::Error) -> BaseLogitsError {
    BaseLogitsError::Io { doing: "writing", source }
}
