//! The growing output: files at full length under working names, locked against a second job.

use super::stop::{Stop, storage, storage_needing};
use super::storage::Storage;
use super::target::Target;
use crate::disk;
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::Session;
use llmq_plugin_api::wire::{OutputFile, Plan};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Bytes read back at a time when a unit is checked.
const CHUNK: usize = 1 << 20;

/// Holds the output's working name for this process. The lock lives in the file (or folder) itself, so nothing stays
/// behind, and the kernel releases it however the process ends.
pub struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Creates the working file or folder if need be, and locks it.
    pub fn take(target: &Target, plan: &Plan) -> Result<Lock, Stop> {
        let renames = target.renames(plan, ".partial");
        let Some((path, _)) = renames.first() else { return Ok(Lock { _file: None }) };
        let open = || match target.is_folder() {
            true => std::fs::create_dir_all(path).and_then(|()| File::open(path)),
            false => open_file(path),
        };
        // The holder may finish between our open and our lock: then we hold its finished file under another name.
        for _ in 0..16 {
            let file = open().map_err(|e| storage("create", path, &e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another job is writing `{}`", path.display());
                    let hint = "Wait for it, or choose another --output-name.";
                    return Err(Failure::new(Class::General, message).suggest(hint).into());
                }
                // Some network file systems have no locks. Working without is better than not working.
                Err(TryLockError::Error(_)) => return Ok(Lock { _file: None }),
            }
            let same = |a: std::fs::Metadata, b: std::fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
            if let (Ok(ours), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path))
                && same(ours, named)
            {
                return Ok(Lock { _file: Some(file) });
            }
        }
        Err(Failure::new(Class::General, format!("`{}` keeps being replaced by other jobs", path.display())).into())
    }
}

/// Opens for reading and writing without following a link: someone else's link must not lead our writes elsewhere.
fn open_file(path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    File::options().read(true).write(true).create(true).truncate(false).custom_flags(no_follow).open(path)
}

/// The plan's files, open at full length.
pub struct Partial<'a> {
    plan: &'a Plan,
    files: Vec<(PathBuf, File)>,
    folder: PathBuf,
}

impl<'a> Partial<'a> {
    /// Opens the files. Unless an earlier job's bytes are to be kept, they begin as zeros.
    pub fn open(target: &Target, plan: &'a Plan, keep: bool, disk: &dyn Storage) -> Result<Partial<'a>, Stop> {
        if target.is_folder() && !keep {
            let root = target.dir.join(format!("{}.partial", target.name()));
            clear_folder(&root).map_err(|e| storage("clear", &root, &e))?;
        }
        let mut files = Vec::with_capacity(plan.files.len());
        for (path, file) in target.partial_files(plan).into_iter().zip(&plan.files) {
            let fail = |e: io::Error| storage_needing("create", &path, &e, file.bytes, disk.free_bytes(&target.dir));
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(fail)?;
            }
            let handle = open_file(&path).map_err(fail)?;
            if !keep {
                handle.set_len(0).map_err(fail)?;
            }
            disk.allocate(&handle, file.bytes).map_err(fail)?;
            files.push((path, handle));
        }
        Ok(Partial { plan, files, folder: target.dir.clone() })
    }

    /// Opens a finished output for reading; `None` if a file is missing or has another length.
    pub fn open_finished(target: &Target, plan: &'a Plan) -> Option<Partial<'a>> {
        let open = |(path, file): (PathBuf, &OutputFile)| {
            let handle = File::open(&path).ok()?;
            handle.metadata().ok().filter(|m| m.is_file() && m.len() == file.bytes)?;
            Some((path, handle))
        };
        let files: Option<Vec<_>> = target.final_files(plan).into_iter().zip(&plan.files).map(open).collect();
        Some(Partial { plan, files: files?, folder: target.dir.clone() })
    }

    /// Whether every literal is there, and zeros are where the plan has nothing.
    pub fn holds_known(&self, session: &Session) -> Result<bool, Stop> {
        for (index, span) in self.plan.literals.iter().enumerate() {
            let expected = session.literal(index).map_err(|e| Stop::from(Failure::from(e)))?;
            let mut found = vec![0; expected.len()];
            self.read_back(span.file, span.offset, &mut found)?;
            if found != expected {
                return Ok(false);
            }
        }
        let mut found = vec![0; CHUNK];
        for (file, start, end) in gaps(self.plan) {
            for offset in (start..end).step_by(CHUNK) {
                let piece = &mut found[..(end - offset).min(CHUNK as u64) as usize];
                self.read_back(file, offset, piece)?;
                if piece.iter().any(|byte| *byte != 0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Writes all that is known before any weight is read: literals, and zeros wherever the plan has nothing.
    pub fn write_known(&self, session: &Session, keep: bool, disk: &dyn Storage) -> Result<(), Stop> {
        for (index, span) in self.plan.literals.iter().enumerate() {
            let bytes = session.literal(index).map_err(|e| Stop::from(Failure::from(e)))?;
            self.write(span.file, span.offset, &bytes, disk)?;
        }
        if keep {
            // What a crash or a stranger left between the spans must not reach the output.
            let zeros = vec![0u8; CHUNK];
            for (file, start, end) in gaps(self.plan) {
                for offset in (start..end).step_by(CHUNK) {
                    let length = (end - offset).min(CHUNK as u64) as usize;
                    self.write(file, offset, &zeros[..length], disk)?;
                }
            }
        }
        Ok(())
    }

    /// Writes bytes at their final place.
    pub fn write(&self, file: u32, offset: u64, bytes: &[u8], disk: &dyn Storage) -> Result<(), Stop> {
        let (path, handle) = &self.files[file as usize];
        disk.write_at(handle, bytes, offset)
            .map_err(|e| storage_needing("write", path, &e, bytes.len() as u64, disk.free_bytes(&self.folder)))
    }

    /// Makes the files that a unit touches durable; all files without a unit.
    pub fn sync(&self, unit: Option<u32>, disk: &dyn Storage) -> Result<(), Stop> {
        for (index, (path, handle)) in self.files.iter().enumerate() {
            let touched = |unit| self.plan.slots.iter().any(|s| s.unit == unit && s.file as usize == index);
            if unit.is_none_or(touched) {
                disk.sync(handle).map_err(|e| storage_needing("flush", path, &e, 0, disk.free_bytes(&self.folder)))?;
            }
        }
        Ok(())
    }

    /// Number of bytes and XXH3-64 of a unit's slots, read back from the files in the plan's order.
    pub fn checksum(&self, unit: u32) -> Result<(u64, String), Stop> {
        let (mut hash, mut total) = (Xxh3::new(), 0u64);
        let mut buffer = vec![0u8; CHUNK];
        for slot in self.plan.slots.iter().filter(|s| s.unit == unit) {
            let end = slot.offset + slot.bytes;
            for offset in (slot.offset..end).step_by(CHUNK) {
                let piece = &mut buffer[..(end - offset).min(CHUNK as u64) as usize];
                self.read_back(slot.file, offset, piece)?;
                hash.update(piece);
            }
            total += slot.bytes;
        }
        Ok((total, format!("{:016x}", hash.digest())))
    }

    fn read_back(&self, file: u32, offset: u64, out: &mut [u8]) -> Result<(), Stop> {
        let (path, handle) = &self.files[file as usize];
        handle.read_exact_at(out, offset).map_err(|e| storage("read back", path, &e))
    }

    /// Paths and handles in the plan's order.
    pub fn files(&self) -> &[(PathBuf, File)] {
        &self.files
    }
}

fn clear_folder(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Ranges (file, start, end) that neither a literal nor a slot covers.
fn gaps(plan: &Plan) -> Vec<(u32, u64, u64)> {
    let mut spans: Vec<(u32, u64, u64)> =
        plan.literals.iter().map(|l| (l.file, l.offset, l.offset + l.bytes)).collect();
    spans.extend(plan.slots.iter().map(|s| (s.file, s.offset, s.offset + s.bytes)));
    spans.sort_unstable();
    let mut gaps = Vec::new();
    for (file, output) in (0u32..).zip(&plan.files) {
        let mut at = 0;
        for (_, start, end) in spans.iter().filter(|s| s.0 == file) {
            if *start > at {
                gaps.push((file, at, *start));
            }
            at = at.max(*end);
        }
        if at < output.bytes {
            gaps.push((file, at, output.bytes));
        }
    }
    gaps
}

/// Removes the working names of a job that is not worth resuming.
pub fn discard(target: &Target, plan: &Plan) -> io::Result<()> {
    for (path, _) in target.renames(plan, ".partial") {
        let removed = if target.is_folder() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Bytes that earlier working files of this output already occupy.
pub fn claimed_bytes(target: &Target, plan: &Plan) -> u64 {
    let claimed = |(path, file): (PathBuf, &OutputFile)| {
        let metadata = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(disk::allocated_bytes(&metadata).min(file.bytes))
    };
    target.partial_files(plan).into_iter().zip(&plan.files).filter_map(claimed).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire::{LiteralSpan, Slot};

    #[test]
    fn gaps_are_what_no_span_covers() {
        let slot = |file, offset, bytes| Slot {
            name: String::new(),
            unit: 0,
            sources: vec![],
            encoding: String::new(),
            shape: vec![],
            file,
            offset,
            bytes,
            note: String::new(),
            choosable: false,
        };
        let plan = Plan {
            files: ["a", "b", "c"].map(|name| OutputFile { name: name.into(), bytes: 100 }).into(),
            literals: vec![LiteralSpan { file: 0, offset: 0, bytes: 10 }],
            slots: vec![slot(0, 64, 36), slot(0, 32, 16), slot(1, 0, 100)],
            ..Plan::default()
        };
        assert_eq!(gaps(&plan), [(0, 10, 32), (0, 48, 64), (2, 0, 100)]);
    }
}
