//! The result of a quantization as a file: the JSON object of the contract, or a line for every module.

use super::whole_file::WholeFile;
use crate::failure::{Class, Failure};
use crate::job::JobReport;
use crate::report;
use std::path::Path;

/// A file for the result of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReportFile {
    file: WholeFile,
    table: bool,
}

impl JobReportFile {
    /// Checks ending and folder, before the work that the report is about.
    pub fn at(path: &Path) -> Result<JobReportFile, Failure> {
        let table = match WholeFile::ending(path).as_deref() {
            Some("json") => false,
            Some("csv") => true,
            _ => {
                let message = format!("`{}` does not say by its ending what report it is to be", path.display());
                return Err(Failure::new(Class::InvalidArguments, message).suggest("Use .json or .csv"));
            }
        };
        Ok(JobReportFile { file: WholeFile::at(path)?, table })
    }

    /// Writes the result. A file that exists is replaced.
    pub fn write(&self, done: &JobReport) -> Result<(), Failure> {
        if self.table {
            return self.file.write(&report::modules(&done.figures));
        }
        let text = serde_json::to_string_pretty(done).map_err(|e| self.file.failed(&e))?;
        self.file.write(&format!("{text}\n"))
    }
}
