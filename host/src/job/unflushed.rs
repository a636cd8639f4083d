//! How much was written and not flushed: so that no flush at the end has gigabytes before it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Written bytes after which a flush is due. Large enough for the disk to work in long runs and for a page that two
/// neighbouring chunks share to be written once; a fraction of a second for any disk.
pub const DUE: u64 = 64 << 20;

/// Counts written bytes.
#[derive(Debug, Default)]
pub struct Unflushed(AtomicU64);

impl Unflushed {
    /// Counts a write. Whether a flush is due: once per [`DUE`] bytes, however many threads write.
    pub fn add(&self, bytes: u64) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        before / DUE != before.saturating_add(bytes) / DUE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_due_once_per_stretch() {
        let unflushed = Unflushed::default();
        assert!(!unflushed.add(DUE - 1));
        assert!(unflushed.add(1));
        assert!(!unflushed.add(0));
        assert!(!unflushed.add(DUE - 1));
        assert!(unflushed.add(2 * DUE), "several stretches at once are one reason");
        assert!(!unflushed.add(0));
        assert!(unflushed.add(1));
    }
}
