//! From a path to a table, through the plugin that recognizes the file.

use super::{Choice, Entry, Named, Table};
use crate::failure::{Class, Failure};
use crate::inspect::ReadingServices;
use crate::model::MappedFile;
use crate::plugins::Catalogue;
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::sdk;
use llmq_plugin_api::wire::StatisticsOrigin;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much of a file a plugin sees to recognize it.
const HEAD: usize = 64 << 10;

/// The plugins that may know a statistics file, each loaded when it is first asked.
pub struct Readers<'a> {
    catalogue: &'a Catalogue,
    loaded: Vec<Arc<Loaded>>,
    searched: bool,
}

impl<'a> Readers<'a> {
    /// Asks `first`, if given, before all others of the catalogue.
    pub fn new(catalogue: &'a Catalogue, first: Option<Arc<Loaded>>) -> Readers<'a> {
        Readers { catalogue, loaded: first.into_iter().collect(), searched: false }
    }

    /// Every plugin, loaded.
    pub fn all(&mut self) -> &[Arc<Loaded>] {
        if !self.searched {
            for entry in self.catalogue.usable() {
                if !self.loaded.iter().any(|loaded| loaded.id == entry.id())
                    && let Ok(loaded) = entry.load()
                {
                    self.loaded.push(Arc::new(loaded));
                }
            }
            self.searched = true;
        }
        &self.loaded
    }

    /// Reads one file. All values are read; none of them is judged.
    pub fn read(&mut self, path: &Path) -> Result<(Table, Arc<Loaded>), Failure> {
        let absent = |message: String| Failure::new(Class::InvalidArguments, message);
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !path.is_file() {
            return Err(absent(format!("the statistics file `{}` does not exist", path.display()))
                .suggest("Check the path of the importance matrix."));
        }
        let file = MappedFile::open(parent, &name)?;
        let view = |limit: usize| {
            let bytes = file.bytes();
            [sdk::MappedFile { name: &name, data: &bytes[..bytes.len().min(limit)], length: bytes.len() as u64 }]
        };
        let known = |loaded: &Arc<Loaded>| loaded.backend.recognize_statistics(&view(HEAD));
        // The plugin of the job answers for its own files; others are asked only for files that it does not know.
        let first = self.loaded.iter().find(|loaded| known(loaded) > 0).cloned();
        let reader = first.or_else(|| {
            let asked = self.all().iter().map(|loaded| (known(loaded), loaded));
            // `max_by_key` keeps the last of equals; the earlier plugin in search order wins a tie.
            asked
                .rev()
                .filter(|(confidence, _)| *confidence > 0)
                .max_by_key(|(confidence, _)| *confidence)
                .map(|(_, loaded)| Arc::clone(loaded))
        });
        let Some(reader) = reader else {
            let message = format!("`{}` is a statistics file of a form that no installed plugin reads", path.display());
            return Err(absent(message).suggest("An importance matrix of llama-imatrix (.gguf or .dat) is needed."));
        };
        let damaged = |error: sdk::Error| {
            let mut failure = Failure::from(error);
            failure.message = format!("`{}` cannot be read: {}", path.display(), failure.message);
            failure
        };
        let whole = view(usize::MAX);
        let open = reader.backend.open_statistics(&ReadingServices, &whole).map_err(damaged)?;
        let summary = open.summary().clone();
        let mut table = Table {
            kind: summary.kind,
            counted: summary.counted,
            chunk_size: summary.chunk_size.filter(|size| *size > 0),
            origin: StatisticsOrigin {
                files: vec![name.clone()],
                datasets: summary.datasets,
                entries: summary.entries.len() as u64,
                chunks: summary.chunk_count.unwrap_or(0),
            },
            warnings: summary.warnings,
            ..Table::default()
        };
        let mut left = file.bytes().len() as u64 / 4;
        for (index, described) in summary.entries.into_iter().enumerate() {
            // What a plugin claims is bounded by the file: values are stored as they are.
            left = left.checked_sub(described.values).ok_or_else(|| {
                let message = format!("`{}` holds fewer values than plugin `{}` claims", path.display(), reader.id);
                Failure::new(Class::General, message)
            })?;
            let mut values = vec![0.0; described.values as usize];
            open.read_values(&whole, index, &mut values).map_err(damaged)?;
            table.entries.insert(described.name, Entry { values, counts: described.counts });
        }
        file.check_unchanged()?;
        Ok((table, reader))
    }

    /// Reads the statistics of a job.
    pub fn supply(&mut self, paths: &[PathBuf], choice: Option<&Choice>) -> Result<Named, Failure> {
        let (mut table, reader) = self.read_all(paths)?;
        if let Some(choice) = choice {
            table.choose(choice)?;
        }
        Ok(Named { table: Arc::new(table), reader })
    }

    /// Reads several files and adds them up.
    pub fn read_all(&mut self, paths: &[impl AsRef<Path>]) -> Result<(Table, Arc<Loaded>), Failure> {
        let mut sum: Option<(Table, Arc<Loaded>)> = None;
        for path in paths {
            let (table, reader) = self.read(path.as_ref())?;
            match &mut sum {
                None => sum = Some((table, reader)),
                Some((total, first)) if first.id == reader.id => total.add(table)?,
                Some((_, first)) => {
                    let message = format!(
                        "`{}` is read by plugin `{}` and the files before by `{}`; their names cannot be compared",
                        path.as_ref().display(),
                        reader.id,
                        first.id
                    );
                    return Err(Failure::new(Class::InvalidArguments, message).suggest("Give files of one form."));
                }
            }
        }
        sum.ok_or_else(|| Failure::new(Class::InvalidArguments, "no statistics file was given"))
    }
}
