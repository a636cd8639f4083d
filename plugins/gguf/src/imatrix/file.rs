//! A parsed importance matrix: where every entry's values lie in the file, whichever form it has.

use super::{ImatrixError, container, legacy};
use crate::container::MAGIC;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile, StatisticsFile};
use llmq_plugin_api::wire::StatisticsSummary;

/// A parsed file. It keeps no bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ImatrixFile {
    /// What the file holds.
    pub summary: StatisticsSummary,
    /// First byte of each entry's values.
    pub(super) offsets: Vec<u64>,
}

impl ImatrixFile {
    /// Reads the structure of a whole file. Values are not looked at; they are read entry by entry.
    ///
    /// Never panics; allocates at most a small multiple of the file's own size.
    ///
    /// # Errors
    /// The first thing that is not as the form wants it.
    pub fn parse(data: &[u8]) -> Result<ImatrixFile, ImatrixError> {
        if data.starts_with(&MAGIC) { container::parse(data) } else { legacy::parse(data) }
    }

    /// Parses the one file that the host mapped.
    pub(crate) fn open(files: &[MappedFile]) -> Result<ImatrixFile, Error> {
        let [file] = files else {
            let message = format!("an importance matrix is one file, {} were given", files.len());
            return Err(Error::new(Kind::InvalidRequest, message));
        };
        ImatrixFile::parse(file.data).map_err(|error| {
            let error = Error::new(Kind::CorruptInput, error.to_string()).subject(file.name);
            error.hint("make the importance matrix again with llama-imatrix, or get another copy")
        })
    }

    /// Fills `out` with an entry's values; `None` if the bytes are not there or `out` has another length.
    pub fn values(&self, data: &[u8], entry: usize, out: &mut [f32]) -> Option<()> {
        let (described, start) = (self.summary.entries.get(entry)?, *self.offsets.get(entry)?);
        if described.values != out.len() as u64 {
            return None;
        }
        let end = start.checked_add((out.len() as u64).checked_mul(4)?)?;
        let bytes = data.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        for (value, chunk) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*chunk);
        }
        Some(())
    }
}

impl StatisticsFile for ImatrixFile {
    fn summary(&self) -> StatisticsSummary {
        self.summary.clone()
    }

    fn read_values(&self, files: &[MappedFile], entry: usize, out: &mut [f32]) -> Result<(), Error> {
        let data = files.first().map_or(&[][..], |file| file.data);
        self.values(data, entry, out).ok_or_else(|| {
            let message = format!("entry {entry} with {} values is not in the file", out.len());
            Error::new(Kind::CorruptInput, message)
        })
    }
}

/// Confidence that the head of a file is an importance matrix. The older form has no magic number: its first entry must
/// look like one.
pub fn recognize(head: &[u8], length: u64) -> u32 {
    if head.starts_with(&MAGIC) {
        return if container::says_imatrix(head) { 100 } else { 0 };
    }
    if legacy::looks_right(head, length) { 60 } else { 0 }
}
