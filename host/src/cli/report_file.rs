//! A report as a file: the ending says the form, and the file is there whole or not at all.

use super::whole_file::WholeFile;
use crate::failure::{Class, Failure};
use llmq_measure::report::Document;
use std::path::Path;

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
    file: WholeFile,
    form: Form,
}

impl ReportFile {
    /// Checks ending and folder, before the work that the report is about.
    pub fn at(path: &Path) -> Result<ReportFile, Failure> {
        let form = match WholeFile::ending(path).as_deref() {
            Some("json") => Form::Json,
            Some("md") => Form::Markdown,
            Some("html" | "htm") => Form::Html,
            _ => {
                let message = format!("`{}` does not say by its ending what report it is to be", path.display());
                return Err(Failure::new(Class::InvalidArguments, message).suggest("Use .json, .md or .html"));
            }
        };
        Ok(ReportFile { file: WholeFile::at(path)?, form })
    }

    /// Writes a document. A file that exists is replaced.
    pub fn write(&self, document: &impl Document) -> Result<(), Failure> {
        let text = match self.form {
            Form::Json => document.to_json().map_err(|e| self.file.failed(&e))?,
            Form::Markdown => document.to_markdown(),
            Form::Html => document.to_html(),
        };
        self.file.write(&text)
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
