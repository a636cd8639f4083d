//! Reading a unit's file: its description at once, its values entry by entry.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use serde::Deserialize;

use super::layout::{Part, Slot, Tensor, slots};
use super::{MAX_HEADER, UnitError, UnitHead};
use crate::gram::{Gram, row_start};
use crate::record::{Entry, Record, Samples};

/// An open file of a unit. Nothing is kept but the description; memory is taken only for what the file really has.
#[derive(Debug)]
pub struct UnitFile<R> {
    pub(super) source: R,
    pub(super) head: UnitHead,
    pub(super) slots: Vec<Slot>,
    /// Where the values start.
    pub(super) start: u64,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Metadata {
    llmq_statistics: String,
}

impl<R: Read + Seek> UnitFile<R> {
    /// Reads the description and compares it with the layout of the file.
    ///
    /// # Errors
    /// Anything that is not a complete statistics file of a known version.
    pub fn open(mut source: R) -> Result<UnitFile<R>, UnitError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        if length < 8 {
            return Err(UnitError::Length { found: length, expected: 8 });
        }
        let mut header = [0; 8];
        source.read_exact(&mut header)?;
        let header_length = u64::from_le_bytes(header);
        if header_length > MAX_HEADER {
            return Err(UnitError::HeaderLength(header_length));
        }
        let start = 8 + header_length;
        if start > length {
            return Err(UnitError::Length { found: length, expected: start });
        }
        let mut header = vec![0; header_length as usize];
        source.read_exact(&mut header)?;
        let broken = |problem: serde_json::Error| UnitError::Header(problem.to_string());
        let Header { metadata, mut tensors } = serde_json::from_slice(&header).map_err(broken)?;
        let head: UnitHead = serde_json::from_str(&metadata.llmq_statistics).map_err(broken)?;
        head.check()?;
        let slots = slots(&head)?;
        for slot in &slots {
            if tensors.remove(&slot.name).as_ref() != Some(&slot.tensor) {
                return Err(UnitError::Tensor(slot.name.clone()));
            }
        }
        if let Some((name, _)) = tensors.pop_first() {
            return Err(UnitError::Tensor(name));
        }
        let end = slots.last().map_or(0, |slot| slot.tensor.data_offsets.1);
        match start.checked_add(end) {
            Some(expected) if expected == length => Ok(UnitFile { source, head, slots, start }),
            expected => Err(UnitError::Length { found: length, expected: expected.unwrap_or(u64::MAX) }),
        }
    }

    /// The description.
    pub fn head(&self) -> &UnitHead {
        &self.head
    }

    /// The number of the entry that tensor `tensor` reads.
    pub fn find(&self, tensor: &str) -> Option<usize> {
        let reads = |entry: &super::EntryHead| entry.sources.iter().any(|source| source.tensor == tensor);
        self.head.entries.iter().position(reads)
    }

    /// Everything of an entry.
    ///
    /// # Errors
    /// Values that no collector gives; what the source says.
    pub fn read(&mut self, entry: usize) -> Result<Entry, UnitError> {
        self.read_parts(entry, true)
    }

    /// An entry without its Gram matrices and samples: what importance and ranges need, at a thousandth of the bytes.
    ///
    /// # Errors
    /// As [`UnitFile::read`].
    pub fn read_sums(&mut self, entry: usize) -> Result<Entry, UnitError> {
        self.read_parts(entry, false)
    }

    fn read_parts(&mut self, entry: usize, whole: bool) -> Result<Entry, UnitError> {
        let entries = self.head.entries.len();
        let head = self.head.entries.get(entry).ok_or(UnitError::NoEntry { entry, entries })?.clone();
        let empty = Record {
            tokens: 0,
            dropped: 0,
            sum: Vec::new(),
            sum_abs: Vec::new(),
            sum_squares: Vec::new(),
            min: Vec::new(),
            max: Vec::new(),
            gram: None,
            samples: Samples::default(),
        };
        let mut records = vec![empty; head.samples.len()];
        for slot in self.slots.iter().filter(|slot| slot.entry == entry) {
            let heavy = matches!(
                slot.part,
                Part::GramF32 | Part::GramF64 | Part::Samples | Part::SampleTokens | Part::SamplePriorities
            );
            if heavy && !whole {
                continue;
            }
            self.source.seek(SeekFrom::Start(self.start + slot.tensor.data_offsets.0))?;
            for (record, rows) in records.iter_mut().zip(&head.samples) {
                read_part(&mut self.source, slot.part, record, head.columns, *rows as usize)?;
            }
            let check = |record: &Record| check(slot.part, record);
            if let Some(problem) = records.iter().find_map(check) {
                return Err(UnitError::Value { tensor: slot.name.clone(), problem: problem.to_owned() });
            }
        }
        Ok(Entry { feed: head.feed, sources: head.sources, columns: head.columns, routed: head.routed, records })
    }
}

fn read_part(
    source: &mut impl Read,
    part: Part,
    record: &mut Record,
    columns: usize,
    rows: usize,
) -> Result<(), UnitError> {
    match part {
        Part::Tokens => record.tokens = read(source, 1, u64::from_le_bytes)?[0],
        Part::Dropped => record.dropped = read(source, 1, u64::from_le_bytes)?[0],
        Part::Sum => record.sum = read(source, columns, f64::from_le_bytes)?,
        Part::SumAbs => record.sum_abs = read(source, columns, f64::from_le_bytes)?,
        Part::SumSquares => record.sum_squares = read(source, columns, f64::from_le_bytes)?,
        Part::SamplePriorities => record.samples.priorities = read(source, rows, u64::from_le_bytes)?,
        Part::SampleTokens => record.samples.tokens = read(source, rows, u64::from_le_bytes)?,
        Part::GramF64 => {
            record.gram = Gram::from_packed(columns, read(source, row_start(columns), f64::from_le_bytes)?);
        }
        Part::GramF32 => {
            let value = |bytes| f64::from(f32::from_le_bytes(bytes));
            let mut values = read(source, row_start(columns), value)?;
            // The diagonal is at hand in full.
            for (channel, squares) in record.sum_squares.iter().enumerate() {
                values[row_start(channel) + channel] = *squares;
            }
            record.gram = Gram::from_packed(columns, values);
        }
        Part::Min => record.min = read(source, columns, f32::from_le_bytes)?,
        Part::Max => record.max = read(source, columns, f32::from_le_bytes)?,
        Part::Samples => record.samples.values = read(source, rows * columns, f32::from_le_bytes)?,
    }
    Ok(())
}

/// What cannot be in a part that was just read.
fn check(part: Part, record: &Record) -> Option<&'static str> {
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    let positive = |values: &[f64]| values.iter().all(|value| value.is_finite() && *value >= 0.0);
    let range = |values: &[f32]| values.iter().all(|value| value.is_finite() || record.tokens == 0 && !value.is_nan());
    let fine = match part {
        Part::Tokens | Part::Dropped | Part::SampleTokens => return None,
        Part::SamplePriorities => {
            return (!record.samples.priorities.is_sorted()).then_some("the rows are not in the order of their hashes");
        }
        Part::Sum => finite(&record.sum),
        Part::SumAbs => positive(&record.sum_abs),
        Part::SumSquares => positive(&record.sum_squares),
        Part::GramF32 | Part::GramF64 => record.gram.as_ref().is_some_and(|gram| finite(gram.packed())),
        Part::Min => range(&record.min),
        Part::Max => range(&record.max),
        Part::Samples => record.samples.values.iter().all(|value| value.is_finite()),
    };
    (!fine).then_some(UNSOUND)
}

/// What is said of values that no collector gives.
const UNSOUND: &str = "it is not finite, or negative where squares were added up";

pub(super) fn wrong(tensor: &str) -> UnitError {
    UnitError::Value { tensor: tensor.to_owned(), problem: UNSOUND.to_owned() }
}

/// Reads `count` values. The layout was compared with the file's length, so `count` is not beyond the file.
pub(super) fn read<T, const N: usize>(
    source: &mut impl Read,
    count: usize,
    value: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, UnitError> {
    const CHUNK: usize = 8192;
    let mut values = Vec::with_capacity(count);
    let mut buffer = vec![[0; N]; count.min(CHUNK)];
    while values.len() < count {
        let now = (count - values.len()).min(CHUNK);
        source.read_exact(buffer[..now].as_flattened_mut())?;
        values.extend(buffer[..now].iter().map(|bytes| value(*bytes)));
    }
    Ok(values)
}
