//! A model without its weights, for looking into: small files, and of each weight file the header in front of a hole.
//!
//! `info` on a model of 140 GB asks for a few hundred kilobytes. The folder opens like any other; its weights read as
//! zeros, so nothing may be computed from it. The only question that opening a model puts to the weights themselves
//! (whether a separately stored output head repeats the embedding, in a model whose config says so) is answered yes.

use super::cache::{Shelf, storage};
use super::fetch::{Fetched, complete};
use super::remote::{File as Wanted, Remote};
use super::retry::Trouble;
use super::web::Ask;
use crate::failure::{Class, Failure};
use crate::model::MAX_HEADER;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Bytes asked for at first: most headers are shorter.
const FIRST: u64 = 256 << 10;

/// Puts the folder together in a temporary place, at a path that tells the model's name as the cache does.
pub(super) fn assemble(
    remote: &Remote<'_>,
    shelf: &Shelf,
    commit: &str,
    small: &[Wanted],
    weights: &[Wanted],
) -> Result<Fetched, Failure> {
    let io = |path: &Path, e: std::io::Error| storage("write", path, &e);
    let snapshot = shelf.snapshot(commit);
    let temporary = tempfile::tempdir().map_err(|e| io(&std::env::temp_dir(), e))?;
    let repository = format!("models--{}", remote.id.repository.replace('/', "--"));
    let folder = temporary.path().join(repository).join("snapshots").join(commit);
    for file in small {
        let to = folder.join(&file.name);
        let parent = to.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|e| io(parent, e))?;
        std::fs::copy(snapshot.join(&file.name), &to).map_err(|e| io(&to, e))?;
    }
    for file in weights {
        let to = folder.join(&file.name);
        let head = match complete(shelf, &file.etag, file.length) {
            Some(blob) => local_header(&blob).map_err(|e| io(&blob, e))?,
            None => header(remote, commit, file)?,
        };
        let write = || {
            let mut out = File::create(&to)?;
            out.write_all(&head)?;
            out.set_len(file.length)
        };
        write().map_err(|e| io(&to, e))?;
    }
    Ok(Fetched { folder, borrowed: Some(temporary) })
}

fn local_header(blob: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut file = File::open(blob)?;
    let mut head = Vec::new();
    (&mut file).take(8).read_to_end(&mut head)?;
    let end = end_of_header(&head).unwrap_or(8);
    file.take(end - 8).read_to_end(&mut head)?;
    Ok(head)
}

fn header(remote: &Remote<'_>, commit: &str, file: &Wanted) -> Result<Vec<u8>, Failure> {
    let mut head = range(remote, commit, file, 0, FIRST.min(file.length))?;
    // What is too short or too long to be a header is for the reader to judge, in its words.
    let end = end_of_header(&head).unwrap_or(0).min(file.length);
    if end > head.len() as u64 {
        let have = head.len() as u64;
        head.extend(range(remote, commit, file, have, end)?);
    }
    Ok(head)
}

/// Where a header ends that declares its length in the first eight bytes; `None` if the length is nonsense.
fn end_of_header(head: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*head.first_chunk::<8>()?);
    (length <= MAX_HEADER).then_some(length + 8)
}

/// Bytes `start..end` of a file.
fn range(remote: &Remote<'_>, commit: &str, file: &Wanted, start: u64, end: u64) -> Result<Vec<u8>, Failure> {
    if start >= end {
        return Ok(Vec::new());
    }
    remote.insist(&format!("reading the header of {}", file.name), || {
        let answer = remote.open(commit, file, Ask::Between(start, end - 1))?;
        let skipped = match answer.status {
            206 => 0,
            200 => start,
            _ => return Err(Trouble::passing("the server does not give parts of it (416)")),
        };
        let range = answer.last.get("content-range").and_then(|range| range.to_str().ok()).unwrap_or_default();
        if answer.status == 206 && !range.starts_with(&format!("bytes {start}-")) {
            let message = format!("{}: the server sends the range `{}`", file.name, range.escape_debug());
            return Err(Failure::new(Class::General, message).suggest("Check HF_ENDPOINT, if it is set").into());
        }
        // Both bounded by the longest header, so the casts hold on every platform.
        let bytes = answer.first((skipped + end - start) as usize)?;
        match bytes.len() as u64 == skipped + end - start {
            true => Ok(bytes[skipped as usize..].to_vec()),
            false => Err(Trouble::passing("the server closed the connection early")),
        }
    })
}
