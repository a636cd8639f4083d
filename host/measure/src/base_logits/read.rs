//! Reading: the header at once, then as many rows at a time as the caller wants.

use super::{BaseLogitsError, Header, StoredRow};
use std::io::{ErrorKind, Read};

/// Reads a file of log-probabilities from its beginning to its end.
#[derive(Debug)]
pub struct BaseLogitsReader<R> {
    from: R,
    header: Header,
    chunk: usize,
    row: usize,
}

/// Rows of one chunk that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRows {
    /// Which chunk, from 0.
    pub chunk: usize,
    /// Which row of the chunk comes first: its logits predict token `first_row + 1`.
    pub first_row: usize,
    bytes: Vec<u8>,
    row_bytes: usize,
    vocabulary: usize,
}

impl StoredRows {
    /// Number of rows, at least 1.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.row_bytes
    }

    /// Never: no rows are `None`.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = StoredRow<'_>> {
        // Every row was looked at when it was read.
        self.bytes.chunks_exact(self.row_bytes).filter_map(|row| StoredRow::new(row.get(..8 + 2 * self.vocabulary)?))
    }
}

impl<R: Read> BaseLogitsReader<R> {
    /// Reads the header. `from` should be buffered or large reads cheap: rows are read one by one.
    ///
    /// # Errors
    /// [`BaseLogitsError`]. Memory is taken only for tokens that the file really has.
    pub fn open(mut from: R) -> Result<Self, BaseLogitsError> {
        let header = Header::read(&mut from)?;
        let row = header.rows().start;
        Ok(Self { from, header, chunk: 0, row })
    }

    /// Sizes and text.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Up to `most` (at least 1) rows that follow, all of one chunk; `None` after the last one, if nothing follows it.
    ///
    /// # Errors
    /// [`BaseLogitsError`]. Memory is taken row by row, as the file has them.
    pub fn next_rows(&mut self, most: usize) -> Result<Option<StoredRows>, BaseLogitsError> {
        let all = self.header.rows();
        if self.chunk == self.header.chunks as usize || all.is_empty() {
            return self.end().map(|()| None);
        }
        let row_bytes = self.header.row_bytes();
        let vocabulary = self.header.vocabulary as usize;
        let (chunk, first_row) = (self.chunk, self.row);
        let mut bytes = Vec::new();
        for row in first_row..all.end.min(first_row.saturating_add(most.max(1))) {
            let start = bytes.len();
            let read = self.from.by_ref().take(row_bytes as u64).read_to_end(&mut bytes);
            if read.map_err(|source| BaseLogitsError::Io { doing: "reading", source })? < row_bytes {
                return Err(BaseLogitsError::Truncated {
                    place: format!("chunk {chunk}, position {row}"),
                    chunks: self.header.chunks,
                    context: self.header.context,
                });
            }
            let read = &bytes[start..start + 8 + 2 * vocabulary];
            if StoredRow::new(read).is_none() {
                let number = |at: usize| read[at..].first_chunk::<4>().map_or(f32::NAN, |b| f32::from_le_bytes(*b));
                return Err(BaseLogitsError::Row { chunk, row, scale: number(0), least: number(4) });
            }
            self.row = row + 1;
        }
        if self.row == all.end {
            self.chunk += 1;
            self.row = all.start;
        }
        Ok(Some(StoredRows { chunk, first_row, bytes, row_bytes, vocabulary }))
    }

    fn end(&mut self) -> Result<(), BaseLogitsError> {
        match self.from.read_exact(&mut [0; 1]) {
            Ok(()) => Err(BaseLogitsError::Trailing { chunks: self.header.chunks }),
            Err(source) if source.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(source) => Err(BaseLogitsError::Io { doing: "reading", source }),
        }
    }
}
