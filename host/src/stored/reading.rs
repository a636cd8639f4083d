//! Mapped files and the reader that knows them, found among the installed plugins.

use super::files::together;
use crate::failure::{Class, Failure};
use crate::inspect::ReadingServices;
use crate::model::MappedFile;
use crate::plugins::Catalogue;
use llmq_plugin_api::client::{Loaded, Reader};
use llmq_plugin_api::sdk;
use std::path::{Path, PathBuf};

/// How much of each file a backend sees to recognize it.
const HEAD: usize = 64 << 10;

/// Confidence below which a backend is not asked to open the files.
const LIKELY: u32 = 1;

/// Files of one model in some backend's format, open and understood.
pub struct Reading {
    /// Folder of the files.
    pub folder: PathBuf,
    /// The files, mapped, in the order that the reader knows.
    pub files: Vec<MappedFile>,
    /// The reader.
    pub reader: Reader,
    /// Id of its plugin.
    pub plugin: String,
    /// Why other plugins were not asked.
    pub passed_over: Vec<String>,
}

impl Reading {
    /// A single file, or all shards of the set that it belongs to.
    pub fn of_file(path: &Path, catalogue: &Catalogue) -> Result<Reading, Failure> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Failure::new(Class::InvalidArguments, format!("the name of {} is not readable text", path.display()))
                .suggest("Rename the file")
        })?;
        let names = together(folder, name).map_err(|error| unlisted(folder, &error))?;
        let mut passed_over = Vec::new();
        let found = Reading::find(folder, &names, path, catalogue, &mut passed_over)?;
        found.ok_or_else(|| unrecognized(path, catalogue, &passed_over))
    }

    /// The files of a folder, taken together. `None` if no backend knows them.
    pub fn of_folder(path: &Path, catalogue: &Catalogue) -> Result<Option<Reading>, Failure> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|error| unlisted(path, &error))? {
            let entry = entry.map_err(|error| unlisted(path, &error))?;
            if let (Ok(name), true) = (entry.file_name().into_string(), entry.path().is_file()) {
                names.push(name);
            }
        }
        names.sort();
        Reading::find(path, &names, path, catalogue, &mut Vec::new())
    }

    fn find(
        folder: &Path,
        names: &[String],
        path: &Path,
        catalogue: &Catalogue,
        passed_over: &mut Vec<String>,
    ) -> Result<Option<Reading>, Failure> {
        let files: Vec<MappedFile> =
            names.iter().map(|name| MappedFile::open(folder, name)).collect::<Result<_, _>>()?;
        let heads = views(&files, HEAD);
        let mut best: Option<(u32, Loaded)> = None;
        for entry in catalogue.usable() {
            match entry.load() {
                Ok(loaded) => {
                    let confidence = loaded.backend.recognize(&heads);
                    // The earlier plugin in search order wins a tie.
                    if confidence >= LIKELY && best.as_ref().is_none_or(|(highest, _)| confidence > *highest) {
                        best = Some((confidence, loaded));
                    }
                }
                Err(failure) => passed_over.push(failure.message),
            }
        }
        let Some((_, loaded)) = best else { return Ok(None) };
        let reader = loaded.backend.open(&ReadingServices, &views(&files, usize::MAX)).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.message = format!("{} cannot be read: {}", path.display(), failure.message);
            failure
        })?;
        let passed_over = std::mem::take(passed_over);
        Ok(Some(Reading { folder: folder.to_owned(), files, reader, plugin: loaded.id, passed_over }))
    }

    /// Format and level as the reader calls them.
    pub fn format(&self) -> (&str, &str) {
        let summary = self.reader.summary();
        (&summary.format, &summary.level)
    }

    /// The files as plugins take them.
    pub fn views(&self) -> Vec<sdk::MappedFile<'_>> {
        views(&self.files, usize::MAX)
    }

    /// Rows of a tensor as f32.
    pub fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        Ok(self.reader.decode_rows(&self.views(), tensor, first_row, out)?)
    }

    /// A side file.
    pub fn sidecar(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(self.reader.sidecar(&self.views(), name)?)
    }

    /// The paths of the files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| self.folder.join(file.name())).collect()
    }

    /// Fails if a file was changed since it was opened.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(self.files.iter().try_for_each(MappedFile::check_unchanged)?)
    }
}

fn views(files: &[MappedFile], limit: usize) -> Vec<sdk::MappedFile<'_>> {
    let view = |file| {
        let bytes = MappedFile::bytes(file);
        sdk::MappedFile { name: file.name(), data: &bytes[..bytes.len().min(limit)], length: bytes.len() as u64 }
    };
    files.iter().map(view).collect()
}

fn unlisted(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Class::General, format!("{} cannot be listed: {error}", folder.display()))
}

fn unrecognized(path: &Path, catalogue: &Catalogue, passed_over: &[String]) -> Failure {
    let mut message = format!("{} is in no format that an installed plugin reads", path.display());
    for reason in passed_over {
        message.push_str(&format!(". Passed over: {reason}"));
    }
    let mut formats: Vec<String> = catalogue.formats().into_iter().map(|(format, _)| format).collect();
    formats.dedup();
    Failure::new(Class::InvalidArguments, message).suggest(match formats.is_empty() {
        true => "No plugin is installed; `llm-quantize plugins doctor` shows where they are looked for".to_owned(),
        false => format!("Installed formats: {}; `llm-quantize plugins list` tells more", formats.join(", ")),
    })
}
