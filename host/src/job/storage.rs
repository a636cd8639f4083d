//! The few calls by which bytes become durable, behind a trait: tests replace them by disks that fill up or stop
//! between any two writes.

use crate::disk;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A place for bytes.
pub trait Storage: Send + Sync {
    /// Gives a file its length and claims its space.
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        disk::allocate(file, bytes)
    }

    /// Writes all of `data` at byte `offset`.
    fn write_at(&self, file: &File, data: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(data, offset)
    }

    /// Makes a file's bytes survive a loss of power.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Gives a file its final name, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Bytes that may still be written in a folder.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        disk::free_bytes(folder)
    }
}

/// The real one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Disk;

impl Storage for Disk {}
