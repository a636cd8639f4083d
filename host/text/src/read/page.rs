//! The pages of a Parquet column, looked through before they are read: lengths under the caps, inside their column.

use parquet::basic::Compression;
use parquet::file::reader::ChunkReader;

use super::thrift::{Fault, Outline};
use super::zstd;

/// Bytes taken for one page header; statistics in it hold two values of the column at most.
const HEADER: [u64; 2] = [4 << 10, 16 << 20];

/// Values in one page; pages of about 1 MiB, as they are written, hold far fewer.
const MAX_VALUES: i64 = 1 << 22;

/// Why a column is not read.
pub enum Refusal {
    /// The bytes are no pages.
    Malformed(String),
    /// A page over the cap.
    TooLarge {
        /// Which length.
        part: String,
        /// Bytes.
        bytes: u64,
    },
}

/// Looks through the pages in `start..start + length` of `reader`.
pub fn check(
    reader: &impl ChunkReader,
    start: u64,
    length: u64,
    codec: Compression,
    limit: usize,
) -> Result<(), Refusal> {
    let end = start.checked_add(length).filter(|end| *end <= reader.len());
    let end = end.ok_or_else(|| Refusal::Malformed("a column lies outside the file".to_owned()))?;
    let mut at = start;
    let mut number = 0u64;
    while at < end {
        number += 1;
        let header = header(reader, at, end, number)?;
        let size = |field: i16, name: &str| {
            let bytes = header.integer(field).and_then(|v| u64::try_from(v).ok());
            let bytes =
                bytes.ok_or_else(|| Refusal::Malformed(format!("page {number} of a column states no {name}")))?;
            let part = format!("page {number} of a column ({name})");
            if bytes > limit as u64 { Err(Refusal::TooLarge { part, bytes }) } else { Ok(bytes) }
        };
        size(2, "unpacked length")?;
        let stored = size(3, "length")?;
        at += header.length as u64;
        if stored > end - at {
            return Err(Refusal::Malformed(format!("page {number} of a column is longer than its column")));
        }
        let values = [(5, 1), (7, 1), (8, 1)].iter().find_map(|(s, f)| header.structure(*s)?.integer(*f));
        if values.is_some_and(|values| !(0..=MAX_VALUES).contains(&values)) {
            let values = values.unwrap_or_default();
            let message = format!("page {number} of a column states {values} values; {MAX_VALUES} are read");
            return Err(Refusal::Malformed(message));
        }
        if matches!(codec, Compression::ZSTD(_)) {
            // The second version of pages keeps its levels in front, not packed.
            let second = header.structure(8);
            let levels = second.map_or(Some(0), |s| s.integer(5)?.checked_add(s.integer(6)?));
            let levels = levels.and_then(|n| u64::try_from(n).ok()).filter(|n| *n <= stored);
            let levels =
                levels.ok_or_else(|| Refusal::Malformed(format!("the levels of page {number} are too long")))?;
            if second.and_then(|s| s.integer(7)) != Some(0) && stored > levels {
                let frames = reader.get_bytes(at + levels, (stored - levels) as usize);
                let frames = frames.map_err(|e| Refusal::Malformed(e.to_string()))?;
                match zstd::bound(&frames) {
                    None => return Err(Refusal::Malformed(format!("page {number} of a column is no zstd data"))),
                    Some(bytes) if bytes > limit as u64 => {
                        let part = format!("page {number} of a column (its zstd blocks)");
                        return Err(Refusal::TooLarge { part, bytes });
                    }
                    Some(_) => {}
                }
            }
        }
        at += stored;
    }
    Ok(())
}

fn header(reader: &impl ChunkReader, at: u64, end: u64, number: u64) -> Result<Outline, Refusal> {
    for take in HEADER {
        let bytes = reader.get_bytes(at, take.min(end - at) as usize).map_err(|e| Refusal::Malformed(e.to_string()))?;
        match Outline::of(&bytes) {
            Ok(outline) => return Ok(outline),
            Err(Fault::Cut) if take < end - at => {}
            Err(Fault::Cut) => return Err(Refusal::Malformed(format!("the header of page {number} is cut"))),
            Err(Fault::Wrong(what)) => {
                return Err(Refusal::Malformed(format!("the header of page {number} holds {what}")));
            }
        }
    }
    Err(Refusal::TooLarge { part: format!("the header of page {number}"), bytes: HEADER[1] })
}
