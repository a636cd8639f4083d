//! A report as a file: the ending says the form, and the file is there whole or not at all.

use crate::failure::{Class, Failure};
use llmq_measure::report::Document;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For programs.
    Json,
    /// For issues and model cards.
    Markdown,
    /// One page that needs nothing else.
    Html,
}

/// A report file that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    path: PathBuf,
    form: Form,
}

impl ReportFile {
    /// Checks ending and folder, before the work that the report is about.
    pub fn at(path: &Path) -> Result<ReportFile, Failure> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let form = match ending.as_deref() {
            Some("json") => Form::Json,
            Some("md") => Form::Markdown,
            Some("html" | "htm") => Form::Html,
            _ => {
                let message = format!("`{}` does not say by its ending what report it is to be", path.display());
                return Err(Failure::new(Class::InvalidArguments, message).suggest("Use .json, .md or .html"));
            }
        };
        let file = ReportFile { path: path.to_owned(), form };
        if !file.folder().is_dir() {
            let message = format!("the folder of `{}` does not exist", path.display());
            return Err(Failure::new(Class::InvalidArguments, message).suggest("Make it first"));
        }
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Writes a document. A file that exists is replaced.
    pub fn write(&self, document: &impl Document) -> Result<(), Failure> {
        let failed = |problem: &dyn std::fmt::Display| {
            let message = format!("`{}` cannot be written: {problem}", self.path.display());
            Failure::new(Class::InvalidArguments, message)
                .suggest("Check the folder, its permissions and the free space")
        };
        let text = match self.form {
            Form::Json => document.to_json().map_err(|e| failed(&e))?,
            Form::Markdown => document.to_markdown(),
            Form::Html => document.to_html(),
        };
        let mut file = tempfile::NamedTempFile::new_in(self.folder()).map_err(|e| failed(&e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
        #[cfg(unix)]
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(|e| failed(&e))?;
        file.persist(&self.path).map_err(|e| failed(&e.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Empty {}

    impl Document for Empty {
        fn to_markdown(&self) -> String {
            String::new()
        }

        fn to_html(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn the_ending_says_the_form() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| ReportFile::at(&folder.path().join(name));
        assert_eq!(at("a.HTML").unwrap().form, Form::Html);
        assert_eq!(at("a.md").unwrap().form, Form::Markdown);
        for wrong in ["a", "a.txt", "none/a.md"] {
            assert_eq!(at(wrong).unwrap_err().class, Class::InvalidArguments, "{wrong}");
        }
        at("a.json").unwrap().write(&Empty {}).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a.json")).unwrap(), "{}\n");
    }
}
