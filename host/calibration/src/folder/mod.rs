//! The statistics of a model: a folder with one file per unit and `statistics.json`, complete unit by unit.
//!
//! A unit's file is written as `*.partial`, flushed to the disk and renamed, then the same is done with
//! `statistics.json`. Whatever stops the program, the folder holds complete units and knows which, and a run that resumes
//! gives the bytes of one that was never stopped.

mod landing;
mod manifest;
mod merging;

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::record::Entry;
use crate::unit::{UnitError, UnitFile, write_unit};
pub use manifest::{MAX_MANIFEST, Manifest, Settings, Subject, Text, Unit, VERSION};
pub use merging::merge_folders;

/// Name of the document.
const MANIFEST: &str = "statistics.json";

/// Why a statistics folder cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file or folder cannot be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A unit's file is not usable.
    #[error("statistics file `{}`: {source}", path.display())]
    Unit {
        /// Which.
        path: PathBuf,
        /// Why.
        source: UnitError,
    },
    /// `statistics.json` is not usable.
    #[error("`{}` is not usable: {problem}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Statistics are there already.
    #[error("`{}` holds statistics already; name another folder or continue them", .0.display())]
    Exists(PathBuf),
    /// What a run continues, or statistics that are to be merged, are of something else.
    #[error("the statistics are of another {what}: {here}, where {asked} is asked for")]
    Differs {
        /// What differs.
        what: &'static str,
        /// What the folder has.
        here: String,
        /// What was asked for.
        asked: String,
    },
    /// An id that is no file name.
    #[error("`{0}` cannot be the id of a unit (letters, digits, `.`, `_`, `-`; at most 200)")]
    UnitId(String),
    /// A unit that is complete already.
    #[error("unit `{0}` is complete already")]
    Complete(String),
    /// A unit that is not there, or not complete.
    #[error("unit `{0}` is not complete in these statistics")]
    Missing(String),
    /// A file that changed after it was written.
    #[error("`{}` is not the file that was written: remove it and gather its unit again", .0.display())]
    Changed(PathBuf),
    /// Another program writes there.
    #[error("another program is writing statistics to `{}`; wait for it, or name another folder", .0.display())]
    Busy(PathBuf),
    /// Entries that cannot be added up.
    #[error(transparent)]
    Merge(#[from] crate::MergeError),
    /// The same text in both statistics.
    #[error("text `{0}` is in both statistics and would count twice")]
    SameText(String),
}

/// An open statistics folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    manifest: Manifest,
    /// Held by the one who writes; the system gives it back however the program ends.
    _lock: Option<File>,
}

impl Folder {
    /// Starts new statistics; makes the folder if it is not there.
    ///
    /// # Errors
    /// A folder that holds statistics already; what the system says.
    pub fn create(path: &Path, subject: Subject) -> Result<Folder, FolderError> {
        std::fs::create_dir_all(path).map_err(|source| FolderError::Io { path: path.to_path_buf(), source })?;
        if path.join(MANIFEST).exists() {
            return Err(FolderError::Exists(path.to_path_buf()));
        }
        let _lock = lock(path)?;
        let manifest = Manifest { version: VERSION, subject, units: Vec::new() };
        let folder = Folder { path: path.to_path_buf(), manifest, _lock };
        folder.write_manifest(&folder.manifest)?;
        Ok(folder)
    }

    /// Opens statistics.
    ///
    /// # Errors
    /// A folder without a readable `statistics.json`.
    pub fn open(path: &Path) -> Result<Folder, FolderError> {
        let name = path.join(MANIFEST);
        let failed = |source| FolderError::Io { path: name.clone(), source };
        let mut bytes = Vec::new();
        File::open(&name).map_err(failed)?.take(MAX_MANIFEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        let manifest = Manifest::parse(&bytes).map_err(|problem| FolderError::Manifest { path: name, problem })?;
        Ok(Folder { path: path.to_path_buf(), manifest, _lock: None })
    }

    /// Continues statistics of the same subject, or starts them.
    ///
    /// # Errors
    /// Statistics of another model, of other texts, with other settings or by another version of the program; what the
    /// system says.
    pub fn resume(path: &Path, subject: Subject) -> Result<Folder, FolderError> {
        if !path.join(MANIFEST).exists() {
            return Folder::create(path, subject);
        }
        let _lock = lock(path)?;
        let folder = Folder::open(path)?;
        folder.manifest.subject.must_equal(&subject)?;
        Ok(Folder { _lock, ..folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the statistics are of.
    pub fn subject(&self) -> &Subject {
        &self.manifest.subject
    }

    /// The complete units, in the order of their ids.
    pub fn units(&self) -> &[Unit] {
        &self.manifest.units
    }

    /// Whether a unit is complete.
    pub fn is_complete(&self, unit: &str) -> bool {
        self.manifest.units.iter().any(|there| there.id == unit)
    }

    /// Writes a unit; when this returns it is complete and on the disk.
    ///
    /// # Errors
    /// An id that is no file name, a unit that is there, entries that do not fit the layout, what the system says.
    pub fn put(&mut self, unit: &str, entries: &[Entry]) -> Result<(), FolderError> {
        if !manifest::is_unit_id(unit) {
            return Err(FolderError::UnitId(unit.to_owned()));
        }
        if self.is_complete(unit) {
            return Err(FolderError::Complete(unit.to_owned()));
        }
        let width = self.manifest.subject.settings.gram_width;
        let path = self.unit_path(unit);
        let (bytes, sha256) = landing::land(&path, |out| write_unit(out, unit, entries, width))?;
        let mut manifest = self.manifest.clone();
        let place = manifest.units.partition_point(|there| there.id.as_str() < unit);
        manifest.units.insert(place, Unit { id: unit.to_owned(), bytes, sha256 });
        self.write_manifest(&manifest)?;
        self.manifest = manifest;
        Ok(())
    }

    /// Opens a complete unit's file.
    ///
    /// # Errors
    /// A unit that is not complete; a file that is not a statistics file, not of this unit, or of another length.
    pub fn unit(&self, unit: &str) -> Result<UnitFile<BufReader<File>>, FolderError> {
        let there = self.manifest.units.iter().find(|there| there.id == unit);
        let there = there.ok_or_else(|| FolderError::Missing(unit.to_owned()))?;
        let path = self.unit_path(unit);
        let failed = |source| FolderError::Io { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != there.bytes {
            return Err(FolderError::Changed(path));
        }
        let opened = UnitFile::open(BufReader::new(file));
        let opened = opened.map_err(|source| FolderError::Unit { path: path.clone(), source })?;
        if opened.head().unit != unit {
            return Err(FolderError::Changed(path));
        }
        Ok(opened)
    }

    /// Reads all entries of a unit.
    ///
    /// # Errors
    /// As [`Folder::unit`], and values that no collector gives.
    pub fn read(&self, unit: &str) -> Result<Vec<Entry>, FolderError> {
        let mut file = self.unit(unit)?;
        let entries = (0..file.head().entries.len()).map(|entry| file.read(entry)).collect::<Result<_, _>>();
        entries.map_err(|source| FolderError::Unit { path: self.unit_path(unit), source })
    }

    /// Reads a whole unit's file and compares it with what was written.
    ///
    /// # Errors
    /// A unit that is not complete, a file that changed, what the system says.
    pub fn verify(&self, unit: &str) -> Result<(), FolderError> {
        let there = self.manifest.units.iter().find(|there| there.id == unit);
        let there = there.ok_or_else(|| FolderError::Missing(unit.to_owned()))?;
        let path = self.unit_path(unit);
        let found = landing::digest(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        if found == (there.bytes, there.sha256.clone()) { Ok(()) } else { Err(FolderError::Changed(path)) }
    }

    fn unit_path(&self, unit: &str) -> PathBuf {
        self.path.join(format!("{unit}.safetensors"))
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), FolderError> {
        let path = self.path.join(MANIFEST);
        let mut text = serde_json::to_vec_pretty(manifest)
            .map_err(|problem| FolderError::Manifest { path: path.clone(), problem: problem.to_string() })?;
        text.push(b'\n');
        landing::land(&path, |out| Ok(io::Write::write_all(out, &text)?))?;
        Ok(())
    }
}

/// Takes the folder for the one program that writes to it. Where a system or a network disk has no such locks, there is
/// none: working without is better than not working.
fn lock(path: &Path) -> Result<Option<File>, FolderError> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(FolderError::Busy(path.to_path_buf())),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}
