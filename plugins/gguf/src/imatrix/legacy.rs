//! The older `.dat` form, little endian: a number of entries; per entry name, chunks, values; then the chunks of the
//! whole run and the name of its text, which some writers leave out.

use super::{DAT, ImatrixError, ImatrixFile, SUM_SQUARES, chunk_size, sorted, whole_chunks};
use llmq_plugin_api::sdk::{Error, Output};
use llmq_plugin_api::wire::{Counted, StatisticsEntry, StatisticsSummary};
use std::collections::HashSet;

/// Longest tensor name accepted, in bytes; GGUF allows 63.
const MAX_NAME: usize = 255;
/// Longest name of a text.
const MAX_DATASET: u64 = 64 * 1024;
/// The smallest entry: a name of one byte with one value.
const SMALLEST: u64 = 4 + 1 + 4 + 4 + 4;

/// A position in the file.
struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    entry: u64,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> u64 {
        (self.data.len() - self.at) as u64
    }

    fn take(&mut self, what: &'static str, wanted: u64) -> Result<&'a [u8], ImatrixError> {
        if wanted > self.left() {
            let (entry, at, left) = (self.entry, self.at as u64, self.left());
            return Err(ImatrixError::Truncated { entry, what, at, wanted, left });
        }
        let slice = &self.data[self.at..self.at + wanted as usize];
        self.at += wanted as usize;
        Ok(slice)
    }

    fn number(&mut self, what: &'static str, smallest: i32) -> Result<u64, ImatrixError> {
        let bytes = self.take(what, 4)?;
        let found = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if found < smallest {
            return Err(ImatrixError::Number { entry: self.entry, what, found: i64::from(found) });
        }
        Ok(found as u64)
    }
}

/// Whether the first entry of a head could be one.
pub(super) fn looks_right(head: &[u8], length: u64) -> bool {
    let mut cursor = Cursor { data: head, at: 0, entry: 0 };
    let Ok(entries) = cursor.number("the number of entries", 1) else { return false };
    if entries.saturating_mul(SMALLEST) > length {
        return false;
    }
    let Ok(name) = name(&mut cursor) else { return false };
    let (Ok(_), Ok(values)) = (cursor.number("its chunks", 0), cursor.number("its values", 1)) else { return false };
    name.bytes().all(|byte| byte.is_ascii_graphic()) && values.saturating_mul(4) <= length
}

fn name(cursor: &mut Cursor) -> Result<String, ImatrixError> {
    let length = cursor.number("the length of its name", 1)?;
    let wrong = ImatrixError::Name { entry: cursor.entry, longest: MAX_NAME };
    if length > MAX_NAME as u64 {
        return Err(wrong);
    }
    let bytes = cursor.take("its name", length)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| wrong)
}

pub(super) fn parse(data: &[u8]) -> Result<ImatrixFile, ImatrixError> {
    let mut cursor = Cursor { data, at: 0, entry: 0 };
    let entries = cursor.number("the number of entries", 0)?;
    if entries == 0 {
        return Err(ImatrixError::Empty);
    }
    let wanted = entries * SMALLEST;
    if wanted > cursor.left() {
        let (at, left) = (cursor.at as u64, cursor.left());
        return Err(ImatrixError::Truncated { entry: 0, what: "the entries", at, wanted, left });
    }
    let mut file = ImatrixFile {
        summary: StatisticsSummary {
            form: DAT.into(),
            kind: SUM_SQUARES.into(),
            counted: Counted::Chunks,
            ..StatisticsSummary::default()
        },
        offsets: Vec::new(),
    };
    let mut seen = HashSet::new();
    for entry in 1..=entries {
        cursor.entry = entry;
        let name = name(&mut cursor)?;
        if !seen.insert(name.clone()) {
            return Err(ImatrixError::Duplicate(name));
        }
        // The reference divides by the number of chunks only where there is one.
        let chunks = cursor.number("the number of chunks", 0)?.max(1);
        let values = cursor.number("the number of values", 1)?;
        file.offsets.push(cursor.at as u64);
        cursor.take("its values", values * 4)?;
        file.summary.entries.push(StatisticsEntry { name, values, counts: vec![chunks] });
    }
    cursor.entry = entries + 1;
    if cursor.left() > 0 {
        file.summary.chunk_count = Some(cursor.number("the chunks of the run", 0)?);
    }
    if cursor.left() > 0 {
        let length = cursor.number("the length of the text's name", 0)?;
        let bytes = cursor.take("the text's name", length)?;
        if length > MAX_DATASET {
            return Err(ImatrixError::Number {
                entry: entries + 1,
                what: "the length of the text's name",
                found: length as i64,
            });
        }
        if length > 0 {
            file.summary.datasets.push(String::from_utf8_lossy(bytes).into_owned());
        }
    }
    if cursor.left() > 0 {
        file.summary.warnings.push(format!("{} bytes behind the end of the matrix are not used", cursor.left()));
    }
    Ok(file)
}

/// Vectors that saw nothing count evenly; entries of which no vector saw anything are left out.
pub(super) fn write(summary: &StatisticsSummary, values: &[&[f32]], out: &Output) -> Result<(), Error> {
    let chunk = chunk_size(summary);
    let small = |number: u64| i32::try_from(number).unwrap_or(i32::MAX).to_le_bytes();
    let mut stored = sorted(summary);
    stored.retain(|entry| summary.entries[*entry].counts.iter().any(|count| *count > 0));
    let mut at = 0;
    let mut put = |bytes: &[u8]| -> Result<(), Error> {
        out.write(0, at, bytes)?;
        at += bytes.len() as u64;
        Ok(())
    };
    put(&small(stored.len() as u64))?;
    for entry in stored {
        let (described, values) = (&summary.entries[entry], values[entry]);
        let largest = described.counts.iter().copied().max().unwrap_or(0);
        // Rounded up: a count of zero would mean that there is nothing to divide by.
        let chunks = largest.div_ceil(chunk);
        let mut bytes = small(described.name.len() as u64).to_vec();
        bytes.extend(described.name.as_bytes());
        bytes.extend(small(chunks));
        bytes.extend(small(values.len() as u64));
        for (vector, count) in values.chunks(values.len() / described.counts.len()).zip(&described.counts) {
            let mean = |value: &f32| if *count == 0 { 1.0 } else { value / *count as f32 };
            vector.iter().for_each(|value| bytes.extend((mean(value) * chunks as f32).to_le_bytes()));
        }
        put(&bytes)?;
    }
    let mut tail = small(whole_chunks(summary, chunk)).to_vec();
    let dataset = summary.datasets.last().map_or("", String::as_str);
    tail.extend(small(dataset.len() as u64));
    tail.extend(dataset.as_bytes());
    put(&tail)
}
