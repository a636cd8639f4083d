//! Zip archives as torch writes them: entries stored as they are, so that a mapped archive holds them ready to read.
//!
//! Compressed and encrypted entries are refused: nothing here expands, so no small file can become a large one.
//! Checksums are not compared: that would read every weight before the work starts.

use super::{Fault, damaged, unsupported};
use std::ops::Range;

/// First bytes of an archive with entries.
pub const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
/// Longest comment behind the end record.
const MAX_COMMENT: usize = 65535;
/// Most entries accepted.
const MAX_ENTRIES: u64 = 2 << 20;

/// One stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Name, with `/` between folders.
    pub name: &'a str,
    /// Place of its bytes in the archive.
    pub range: Range<usize>,
}

/// The entries of an archive, in the order of its directory.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, Fault> {
    let directory = Directory::find(bytes)?;
    let mut rest = &bytes[directory.range.clone()];
    let mut entries = Vec::new();
    for number in 0..directory.count {
        let header = Fields(rest);
        if !rest.starts_with(CENTRAL_HEADER) || rest.len() < 46 {
            return Err(damaged(format!("has no entry {number} in its directory of {}", directory.count)));
        }
        let (name_length, extra_length) = (header.u16(28) as usize, header.u16(30) as usize);
        let length = 46 + name_length + extra_length + header.u16(32) as usize;
        if length > rest.len() {
            return Err(damaged(format!("entry {number} of its directory is cut off")));
        }
        let name = &rest[46..46 + name_length];
        let extra = &rest[46 + name_length..46 + name_length + extra_length];
        let name = std::str::from_utf8(name).map_err(|_| damaged(format!("the name of entry {number} is no text")))?;
        entries.push(entry(bytes, directory.range.start, header, name, extra)?);
        rest = &rest[length..];
    }
    Ok(entries)
}

fn entry<'a>(
    bytes: &[u8],
    data_end: usize,
    header: Fields<'_>,
    name: &'a str,
    extra: &[u8],
) -> Result<Entry<'a>, Fault> {
    let shown = name.escape_debug();
    if header.u16(8) & 1 != 0 {
        return Err(unsupported(format!("entry `{shown}` is encrypted")));
    }
    if header.u16(10) != 0 {
        return Err(unsupported(format!("entry `{shown}` is compressed; torch stores entries as they are")));
    }
    let mut wide = wide_numbers(extra);
    let mut number = |at| match header.u32(at) {
        u32::MAX => wide.next().ok_or_else(|| damaged(format!("entry `{shown}` lacks its 64-bit length or place"))),
        short => Ok(u64::from(short)),
    };
    let (size, packed, place) = (number(24)?, number(20)?, number(42)?);
    if size != packed {
        return Err(damaged(format!("entry `{shown}` is stored as it is, and has two lengths: {packed} and {size}")));
    }
    let outside = || damaged(format!("entry `{shown}` does not lie inside the archive"));
    let start = usize::try_from(place).ok().filter(|start| *start <= data_end).ok_or_else(outside)?;
    let local = &bytes[start..data_end];
    if !local.starts_with(LOCAL_HEADER) || local.len() < 30 {
        return Err(damaged(format!("entry `{shown}` has no header at byte {start}")));
    }
    let name_length = Fields(local).u16(26) as usize;
    let before = 30 + name_length + Fields(local).u16(28) as usize;
    if local.get(30..30 + name_length) != Some(name.as_bytes()) {
        return Err(damaged(format!("entry `{shown}` has another name in its own header")));
    }
    let length = usize::try_from(size).map_err(|_| outside())?;
    match before.checked_add(length) {
        Some(end) if end <= local.len() => Ok(Entry { name, range: start + before..start + end }),
        _ => Err(outside()),
    }
}

/// The numbers of the extra field for large archives.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    while extra.len() >= 4 {
        let (kind, length) = (Fields(extra).u16(0), Fields(extra).u16(2) as usize);
        let Some(body) = extra.get(4..4 + length) else { break };
        if kind == 1 {
            found = body;
            break;
        }
        extra = &extra[4 + length..];
    }
    found.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number))
}

struct Directory {
    range: Range<usize>,
    count: u64,
}

impl Directory {
    fn find(bytes: &[u8]) -> Result<Directory, Fault> {
        let lowest = bytes.len().saturating_sub(22 + MAX_COMMENT);
        let ends = |at: &usize| {
            let record = &bytes[*at..];
            record.starts_with(END) && record.len() == 22 + Fields(record).u16(20) as usize
        };
        let highest = bytes.len().checked_sub(22);
        let end = highest.and_then(|highest| (lowest..=highest).rev().find(ends));
        let end = end.ok_or_else(|| damaged("has no zip directory at its end: it is damaged or cut off"))?;
        let record = Fields(&bytes[end..]);
        let (mut count, mut size, mut place) = (record.u16(10).into(), record.u32(12).into(), record.u32(16).into());
        let mut limit = end;
        if let Some(locator) = end.checked_sub(20).filter(|at| bytes[*at..].starts_with(LOCATOR_64)) {
            let at = usize::try_from(Fields(&bytes[locator..]).u64(8)).unwrap_or(usize::MAX);
            let record = bytes.get(at..locator).filter(|r| r.starts_with(END_64) && r.len() >= 56);
            let record = Fields(record.ok_or_else(|| damaged("has no 64-bit zip directory where one is announced"))?);
            (count, size, place) = (record.u64(32), record.u64(40), record.u64(48));
            limit = at;
        }
        if count > MAX_ENTRIES {
            return Err(damaged(format!("declares {count} entries; at most {MAX_ENTRIES} are accepted")));
        }
        let outside = || damaged(format!("declares a directory of {size} bytes at byte {place}, outside the file"));
        let start = usize::try_from(place).map_err(|_| outside())?;
        let length = usize::try_from(size).map_err(|_| outside())?;
        let stop = start.checked_add(length).filter(|stop| *stop <= limit).ok_or_else(outside)?;
        Ok(Directory { range: start..stop, count })
    }
}

/// Little-endian numbers at fixed places of a record whose length was checked.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
}
