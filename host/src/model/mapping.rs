//! Read-only memory maps of weight files, with hints to the kernel: the only `unsafe` of this module tree.
//!
//! A map is a view of a file that others may still write. Two things can go wrong, and neither can be excluded from
//! inside one process: if the file is *truncated* while mapped, touching a lost page raises SIGBUS and ends the
//! process; if it is *overwritten*, numbers change under our eyes. So the length is taken once, from the open file and
//! not from its name, every offset is checked against it before it is used, and [`MappedFile::check_unchanged`] lets a
//! job notice a replaced file before it calls its output finished.

use super::ModelError;
use memmap2::Mmap;
use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Maps a whole open file read-only.
pub fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only. Outside changes of the file cannot be excluded; the module's text says what they
    // lead to. Nothing relies on the bytes staying equal for memory safety: they are only ever read as numbers, and
    // every range is checked against the mapped length.
    unsafe { Mmap::map(file) }
}

/// One mapped file.
#[derive(Debug)]
pub struct MappedFile {
    name: String,
    path: PathBuf,
    file: File,
    map: Mmap,
    modified: Option<SystemTime>,
}

impl MappedFile {
    /// Maps a regular file read-only.
    pub fn open(folder: &Path, name: &str) -> Result<MappedFile, ModelError> {
        let path = folder.join(name);
        let io = |action, source| ModelError::Io { action, path: path.clone(), source };
        // Asked by name first: opening a pipe would block for ever.
        if !std::fs::metadata(&path).map_err(|e| io("open", e))?.is_file() {
            return Err(ModelError::NotAFile { path });
        }
        let file = File::open(&path).map_err(|e| io("open", e))?;
        let metadata = file.metadata().map_err(|e| io("read", e))?;
        let map = map_file(&file).map_err(|e| io("map", e))?;
        Ok(MappedFile { name: name.to_owned(), path, modified: metadata.modified().ok(), file, map })
    }

    /// File name inside the model folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Time of the last change when the file was opened, in nanoseconds since 1970; 0 if the system has none.
    pub fn modified_nanos(&self) -> u128 {
        self.modified.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos())
    }

    /// Errors if length or time of change differ from those at opening, in the open file or in the one now at its
    /// name.
    pub fn check_unchanged(&self) -> Result<(), ModelError> {
        let io = |source| ModelError::Io { action: "read", path: self.path.clone(), source };
        self.compare(&self.file.metadata().map_err(io)?)?;
        self.compare(&std::fs::metadata(&self.path).map_err(io)?)
    }

    fn compare(&self, now: &Metadata) -> Result<(), ModelError> {
        let changed = |problem| ModelError::Changed { path: self.path.clone(), problem };
        let length = self.map.len() as u64;
        if now.len() != length {
            return Err(changed(format!("it was {length} bytes long and is {} now", now.len())));
        }
        if now.modified().ok() != self.modified {
            return Err(changed("its time of last change is another".to_owned()));
        }
        Ok(())
    }

    /// Asks the kernel to read a range ahead. Only a hint: where it is unknown or refused, reads are merely slower.
    pub fn will_need(&self, range: &Range<usize>) {
        #[cfg(unix)]
        let _ = self.map.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Gives the pages of a range back. With `forget` the system's cache lets go of them too: a file larger than memory
    /// then passes through without pushing everything else out, and the next pages find memory that is free already.
    pub fn done_with(&self, range: &Range<usize>, forget: bool) {
        #[cfg(unix)]
        // SAFETY: the map is a read-only view of a file and no page of it was ever written, so a dropped page comes
        // back from the file with the same bytes at the next touch. Views into it stay valid.
        let _ =
            unsafe { self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
        #[cfg(target_os = "linux")]
        if forget {
            // Pages that the range only begins or ends in stay. A refusal costs memory that the system takes back itself.
            let length = std::num::NonZeroU64::new(range.len() as u64);
            let _ = rustix::fs::fadvise(&self.file, range.start as u64, length, rustix::fs::Advice::DontNeed);
        }
        #[cfg(not(unix))]
        let _ = range;
        #[cfg(not(target_os = "linux"))]
        let _ = forget;
    }
}
