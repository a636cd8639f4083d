//! What earlier probes found, so that an unchanged file is tried in a child process only once.
//!
//! Written whole and renamed into place. A cache that cannot be read, or was written by another version of the host, is
//! as good as none; a cache that cannot be written costs the next start a probe and nothing else. Two programs that
//! write at the same time lose one of the two answers, which costs a probe as well.

use super::file_identity::FileIdentity;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Cap on the cache file: some thousand plugins.
const MAX_BYTES: u64 = 4 << 20;

/// What a probe found. Errors that a plugin reports properly are not remembered: their cause may lie outside the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// It loaded and described itself.
    Loads,
    /// It ended its process; how.
    Crashed(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    file: FileIdentity,
    memory: Memory,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    host: String,
    files: Vec<Remembered>,
}

/// The cache as it was read.
#[derive(Debug, Default)]
pub struct Cache {
    path: Option<PathBuf>,
    files: Vec<Remembered>,
}

impl Cache {
    /// Reads the cache; no path means that nothing is remembered.
    pub fn read(path: Option<&Path>) -> Cache {
        let files = path.and_then(read_document).filter(|d| d.host == host()).map(|d| d.files).unwrap_or_default();
        Cache { path: path.map(Path::to_owned), files }
    }

    /// What is known of exactly this state of a file.
    pub fn recall(&self, file: &FileIdentity) -> Option<&Memory> {
        self.files.iter().find(|r| r.file == *file).map(|r| &r.memory)
    }

    /// How this state of a file crashed, if it did.
    pub fn crash_of(&self, file: &FileIdentity) -> Option<&str> {
        match self.recall(file) {
            Some(Memory::Crashed(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Remembers a probe, on disk as well. Files that are gone are forgotten on the way.
    pub fn remember(&mut self, file: FileIdentity, memory: Memory) -> std::io::Result<()> {
        self.files.retain(|r| r.file.path != file.path && r.file.path.exists());
        self.files.push(Remembered { file, memory });
        self.files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        let Some(path) = &self.path else { return Ok(()) };
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let document = Document { host: host(), files: self.files.clone() };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string(&document)?.as_bytes())?;
        file.persist(path)?;
        Ok(())
    }
}

fn host() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn read_document(path: &Path) -> Option<Document> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_in(folder: &Path, text: &str) -> FileIdentity {
        let path = folder.join("libllmq_x.so");
        std::fs::write(&path, text).unwrap();
        FileIdentity::of(&path).unwrap()
    }

    #[test]
    fn what_was_remembered_is_recalled_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/plugins.json");
        let file = file_in(folder.path(), "one");
        Cache::read(Some(&path)).remember(file.clone(), Memory::Crashed("signal 11".into())).unwrap();
        assert_eq!(Cache::read(Some(&path)).crash_of(&file), Some("signal 11"));
        let changed = file_in(folder.path(), "three");
        assert_eq!(Cache::read(Some(&path)).crash_of(&changed), None);
        Cache::read(Some(&path)).remember(changed.clone(), Memory::Loads).unwrap();
        let cache = Cache::read(Some(&path));
        assert_eq!((cache.files.len(), cache.recall(&changed)), (1, Some(&Memory::Loads)));
    }

    #[test]
    fn a_damaged_cache_and_one_of_another_version_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugins.json");
        let file = file_in(folder.path(), "one");
        for text in ["", "{", "[1,2]", r#"{"host":"0.0.0","files":[]}"#, "\u{0}\u{1}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Cache::read(Some(&path)).recall(&file), None, "{text}");
        }
        Cache::read(Some(&path)).remember(file.clone(), Memory::Loads).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&host(), "0.0.0")).unwrap();
        assert_eq!(Cache::read(Some(&path)).recall(&file), None);
    }
}
