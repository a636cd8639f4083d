//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::FolderError;
use crate::unit::UnitError;

/// Writes a file beside its place, flushes it to the disk, renames it. Gives its length and SHA-256.
pub(super) fn land(
    path: &Path,
    write: impl FnOnce(&mut Hashing<BufWriter<File>>) -> Result<(), UnitError>,
) -> Result<(u64, String), FolderError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |source| FolderError::Io { path: partial.clone(), source };
    let file = BufWriter::new(File::create(&partial).map_err(failed)?);
    let mut out = Hashing { inner: file, hash: Sha256::new(), bytes: 0 };
    write(&mut out).map_err(|source| FolderError::Unit { path: partial.clone(), source })?;
    let Hashing { inner, hash, bytes } = out;
    let file = inner.into_inner().map_err(|problem| failed(problem.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)?;
    sync_folder_of(path).map_err(failed)?;
    Ok((bytes, hexadecimal(hash)))
}

/// Length and SHA-256 of a file.
pub(super) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hexadecimal(hash))),
            count => {
                hash.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// Makes a rename durable. Only Unix can open a folder; elsewhere the file system journals it.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|_| cfg!(unix)) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts and hashes what passes.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
