//! The cache on disk, in the layout that Python's tools share: contents once, named by hash; folders of links to them.

use super::checksum::Etag;
use super::id::{Holding, HubId, is_commit};
use crate::disk;
use crate::failure::{Class, Failure};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// One repository's part of the cache.
pub struct Shelf {
    repository: CacheRepo,
    root: PathBuf,
    locks: PathBuf,
    revision: String,
}

impl Shelf {
    /// The part of a cache that belongs to a repository. Nothing is created.
    pub fn new(cache: &Path, id: &HubId) -> Shelf {
        let kind = match id.holding {
            Holding::Model => RepoType::Model,
            Holding::Dataset => RepoType::Dataset,
        };
        let repo = Repo::with_revision(id.repository.clone(), kind, id.revision.clone());
        let (root, locks) = (cache.join(repo.folder_name()), cache.join(".locks").join(repo.folder_name()));
        Shelf { repository: Cache::new(cache.to_owned()).repo(repo), root, locks, revision: id.revision.clone() }
    }

    /// The folder that stands for a commit.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.repository.pointer_path(commit)
    }

    /// The commit that the revision stood for when it was last asked for; the revision itself if it is a commit.
    pub fn commit(&self) -> Option<String> {
        let noted = std::fs::read_to_string(self.root.join("refs").join(&self.revision)).ok();
        let commit = noted.map_or_else(|| self.revision.clone(), |noted| noted.trim().to_owned());
        is_commit(&commit).then_some(commit)
    }

    /// Notes the commit that the revision stands for. A commit stands for itself and needs no note.
    pub fn note_commit(&self, commit: &str) -> Result<(), Failure> {
        if self.revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(&self.revision);
        self.repository.create_ref(commit).map_err(|e| storage("write", &path, &e))
    }

    /// Where a content lies once it is complete and checked.
    pub fn blob(&self, etag: &Etag) -> PathBuf {
        self.root.join("blobs").join(etag.as_str())
    }

    /// Where a content grows; the name that Python's tools use.
    pub fn partial(&self, etag: &Etag) -> PathBuf {
        self.root.join("blobs").join(format!("{}.incomplete", etag.as_str()))
    }

    /// Bytes of a content that are here, complete or not.
    pub fn present(&self, etag: &Etag) -> u64 {
        let length = |path: &Path| std::fs::metadata(path).map(|m| m.len()).ok();
        length(&self.blob(etag)).or_else(|| length(&self.partial(etag))).unwrap_or(0)
    }

    /// Creates the folders.
    pub fn create(&self, commit: &str) -> Result<(), Failure> {
        for folder in [self.root.join("blobs"), self.snapshot(commit), self.locks.clone()] {
            std::fs::create_dir_all(&folder).map_err(|e| storage("create", &folder, &e))?;
        }
        Ok(())
    }

    /// Bytes that fit into the cache; `None` if the system does not tell.
    pub fn room(&self) -> Option<u64> {
        disk::free_bytes(&self.root).ok()
    }

    /// Takes the lock of a content, if no other process has it. It ends with the file.
    pub fn lock(&self, etag: &Etag) -> Result<Option<File>, Failure> {
        let path = self.locks.join(format!("{}.lock", etag.as_str()));
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|e| storage("create", &path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            // Some network file systems have no locks. Two downloads of one content then disturb each other, and the
            // checksum shows it.
            Err(TryLockError::Error(_)) => Ok(Some(file)),
        }
    }

    /// Makes a complete content appear under its name in a snapshot.
    pub fn link(&self, commit: &str, name: &str, etag: &Etag) -> Result<(), Failure> {
        let (link, blob) = (self.snapshot(commit).join(name), self.blob(etag));
        if let Some(folder) = link.parent() {
            std::fs::create_dir_all(folder).map_err(|e| storage("create", folder, &e))?;
        }
        // Relative, so that the cache can be moved: one `..` for `snapshots`, one for the commit, one per folder.
        let up = "../".repeat(2 + name.matches('/').count());
        let target = format!("{up}blobs/{}", etag.as_str());
        if std::fs::read_link(&link).is_ok_and(|old| old == Path::new(&target)) {
            return Ok(());
        }
        match std::fs::remove_file(&link) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(storage("replace", &link, &e)),
            _ => {}
        }
        symlink(&target, &link).or_else(|_| copy(&blob, &link)).map_err(|e| storage("create", &link, &e))
    }
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &str, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// For file systems without symbolic links.
fn copy(blob: &Path, link: &Path) -> io::Result<()> {
    std::fs::hard_link(blob, link).or_else(|_| std::fs::copy(blob, link).map(drop))
}

/// A failure of the cache's disk.
pub fn storage(action: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(Class::General, format!("Cannot {action} `{}` in the cache: {error}", path.display()));
    match disk::is_full(error) {
        true => failure.suggest("Make room, or set LLM_QUANTIZE_CACHE to a folder on another disk"),
        false => failure.suggest("Check the permissions of the cache, or set LLM_QUANTIZE_CACHE to another folder"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(folder: &Path, id: &str) -> Shelf {
        Shelf::new(folder, &HubId::parse(id).unwrap())
    }

    #[test]
    fn the_layout_is_python_s() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), "org/name@refs/pr/1");
        let (commit, etag) = ("0123456789abcdef", Etag::parse("\"e1\"").unwrap());
        shelf.create(commit).unwrap();
        shelf.note_commit(commit).unwrap();
        std::fs::write(shelf.partial(&etag), "par").unwrap();
        assert_eq!(shelf.present(&etag), 3);
        std::fs::write(shelf.blob(&etag), "whole").unwrap();
        assert_eq!(shelf.present(&etag), 5);
        for name in ["config.json", "additional_chat_templates/x.jinja", "config.json"] {
            shelf.link(commit, name, &etag).unwrap();
            let path = format!("models--org--name/snapshots/{commit}/{name}");
            assert_eq!(std::fs::read_to_string(folder.path().join(path)).unwrap(), "whole");
        }
        let noted = std::fs::read_to_string(folder.path().join("models--org--name/refs/refs/pr/1")).unwrap();
        assert_eq!((noted.as_str(), shelf.commit().as_deref()), (commit, Some(commit)));
    }

    #[test]
    fn a_revision_is_a_commit_or_noted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(shelf(folder.path(), "a/b").commit(), None);
        assert_eq!(shelf(folder.path(), "a/b@0123abcd").commit().as_deref(), Some("0123abcd"));
        let main = shelf(folder.path(), "a/b");
        std::fs::create_dir_all(folder.path().join("models--a--b/refs")).unwrap();
        std::fs::write(folder.path().join("models--a--b/refs/main"), "../../elsewhere").unwrap();
        assert_eq!(main.commit(), None);
    }

    #[test]
    fn a_lock_is_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let (shelf, etag) = (shelf(folder.path(), "a/b"), Etag::parse("e").unwrap());
        shelf.create("0123456").unwrap();
        let first = shelf.lock(&etag).unwrap();
        assert!(first.is_some() && shelf.lock(&etag).unwrap().is_none());
        drop(first);
        assert!(shelf.lock(&etag).unwrap().is_some());
    }
}
