//! A fresh folder per test.

use crate::{Program, repository};
use std::path::{Path, PathBuf};

/// A folder of its own that disappears with the value.
pub struct Workdir {
    folder: tempfile::TempDir,
}

impl Workdir {
    /// A fresh, empty folder.
    pub fn new() -> Workdir {
        // Below the target folder, not /tmp: plugins in world-writable places are refused, and that is a feature.
        let parent = crate::program::target_dir().join("test-folders");
        std::fs::create_dir_all(&parent).expect("the target folder is writable");
        Workdir { folder: tempfile::tempdir_in(parent).expect("a fresh folder") }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A call of the program inside.
    pub fn program<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Program {
        Program::new(self.path()).args(args)
    }

    /// A private copy of the example model that the test may spoil.
    pub fn copy_of_tiny_model(&self) -> PathBuf {
        let target = self.join("tiny-model");
        std::fs::create_dir(&target).expect("fresh");
        for entry in std::fs::read_dir(repository::tiny_model()).expect("the example model is committed") {
            let entry = entry.expect("readable");
            std::fs::copy(entry.path(), target.join(entry.file_name())).expect("copied");
        }
        target
    }

    /// Names in the folder, sorted, hidden ones included.
    pub fn listing(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.join(name)).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Default for Workdir {
    fn default() -> Workdir {
        Workdir::new()
    }
}
