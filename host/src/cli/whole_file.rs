//! A file beside the result that is there whole or not at all.

use crate::failure::{Class, Failure};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The place of a file that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    path: PathBuf,
}

impl WholeFile {
    /// Checks the folder, before the work that the file is about.
    pub fn at(path: &Path) -> Result<WholeFile, Failure> {
        let file = WholeFile { path: path.to_owned() };
        if !file.folder().is_dir() {
            let message = format!("the folder of `{}` does not exist", path.display());
            return Err(Failure::new(Class::InvalidArguments, message).suggest("Make it first"));
        }
        Ok(file)
    }

    /// The letters behind the last dot of a name, in lower case.
    pub fn ending(path: &Path) -> Option<String> {
        path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase())
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// What is said if the file cannot be written.
    pub fn failed(&self, problem: &dyn std::fmt::Display) -> Failure {
        let message = format!("`{}` cannot be written: {problem}", self.path.display());
        Failure::new(Class::InvalidArguments, message).suggest("Check the folder, its permissions and the free space")
    }

    /// Writes the text. A file that exists is replaced.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let mut file = tempfile::NamedTempFile::new_in(self.folder()).map_err(|e| self.failed(&e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|e| self.failed(&e))?;
        #[cfg(unix)]
        file.as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .map_err(|e| self.failed(&e))?;
        file.persist(&self.path).map_err(|e| self.failed(&e.error))?;
        Ok(())
    }
}
