//! What the file system must be asked directly: free space, real allocation, durable directories, exchanged names.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Bytes an unprivileged process may still write to the file system that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes that a file really occupies; less than its length if it has holes.
pub fn allocated_bytes(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // POSIX counts in 512-byte units whatever the block size of the file system.
    metadata.blocks().saturating_mul(512)
}

/// Gives a file its length and claims the space now, so that a full disk shows before hours of work and not after.
///
/// File systems that cannot claim (some network and overlay ones) get the length alone.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)?;
    #[cfg(target_os = "linux")]
    if bytes > 0 {
        use rustix::io::Errno;
        return match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            other => other.map_err(io::Error::from),
        };
    }
    Ok(())
}

/// Makes names created, renamed or removed in a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some network file systems refuse to sync a directory; their renames are durable on their own terms.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Swaps two names in one step, where the system can.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (one, other);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether an error says that the disk, or the user's share of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocation_claims_the_space() {
        let file = tempfile::tempfile().unwrap();
        allocate(&file, 3 << 20).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 3 << 20);
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
        // A file system without fallocate leaves a hole; the length still holds there.
        assert!(allocated_bytes(&metadata) <= 4 << 20);
    }

    #[test]
    fn exchanged_names_swap_their_contents() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "1").unwrap();
        std::fs::write(&b, "2").unwrap();
        if exchange(&a, &b).is_ok() {
            assert_eq!(std::fs::read_to_string(&a).unwrap(), "2");
        }
        sync_directory(folder.path()).unwrap();
    }
}
