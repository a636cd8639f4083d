//! What makes a file the same file as last time: place, size and time of change.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Identity of one state of one file. A rebuilt, replaced or touched file has another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Path without links.
    pub path: PathBuf,
    /// Device number; 0 where the system has none.
    pub device: u64,
    /// Inode number; 0 where the system has none.
    pub inode: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Last change of the contents, in nanoseconds since 1970.
    pub modified_ns: i128,
}

impl FileIdentity {
    /// Looks at a file.
    pub fn of(path: &Path) -> io::Result<FileIdentity> {
        let path = path.canonicalize()?;
        let metadata = path.metadata()?;
        let (device, inode, modified_ns) = numbers(&metadata);
        Ok(FileIdentity { path, device, inode, bytes: metadata.len(), modified_ns })
    }
}

#[cfg(unix)]
fn numbers(metadata: &Metadata) -> (u64, u64, i128) {
    use std::os::unix::fs::MetadataExt;
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    (metadata.dev(), metadata.ino(), modified)
}

#[cfg(not(unix))]
fn numbers(metadata: &Metadata) -> (u64, u64, i128) {
    let since_1970 = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    (0, 0, since_1970.map_or(0, |d| d.as_nanos() as i128))
}
