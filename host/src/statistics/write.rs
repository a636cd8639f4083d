//! A table into a file: under a temporary name beside its place, given its own in one step.

use super::Table;
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::{Backend, Destination};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{Counted, StatisticsEntry, StatisticsSummary};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

/// Writes a settled table in a form of the plugin that read it. A file that exists is replaced. Returns the length.
pub fn write(table: &Table, backend: &Backend, form: &str, path: &Path) -> Result<u64, Failure> {
    let failed = |action: &str, error: &dyn std::fmt::Display| {
        let message = format!("`{}` cannot be {action}: {error}", path.display());
        Failure::new(Class::InvalidArguments, message).suggest("Check the folder, its permissions and the free space.")
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed("created", &e))?;
    let summary = StatisticsSummary {
        form: form.to_owned(),
        kind: table.kind.clone(),
        entries: table
            .entries
            .iter()
            .map(|(name, entry)| StatisticsEntry {
                name: name.clone(),
                values: entry.values.len() as u64,
                counts: entry.counts.clone(),
            })
            .collect(),
        counted: Counted::Tokens,
        chunk_size: table.chunk_size,
        chunk_count: None,
        datasets: table.origin.datasets.clone(),
        warnings: Vec::new(),
    };
    let values: Vec<&[f32]> = table.entries.values().map(|entry| entry.values.as_slice()).collect();
    let own = file.as_file().try_clone().map_err(|e| failed("created", &e))?;
    let stream = Stream(Mutex::new((BufWriter::new(own), 0)));
    backend.write_statistics(&summary, &values, &stream).map_err(Failure::from)?;
    let (writer, length) = stream.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    writer.into_inner().map_err(|e| failed("written", &e))?;
    file.as_file().sync_all().map_err(|e| failed("written", &e))?;
    readable_as_others(file.as_file()).map_err(|e| failed("written", &e))?;
    file.persist(path).map_err(|e| failed("written", &e.error))?;
    Ok(length)
}

/// Temporary files are private; a result gets the permissions that any new file would get from most settings.
fn readable_as_others(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(())
}

/// Takes bytes front to back.
struct Stream<W>(Mutex<(W, u64)>);

impl<W: Write + Send> Destination for Stream<W> {
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut inner = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (writer, at) = &mut *inner;
        if slot != 0 || offset != *at {
            let message =
                format!("a statistics file is written front to back: byte {offset} of slot {slot} came at {at}");
            return Err(Error::new(Kind::Other, message));
        }
        writer.write_all(data).map_err(|e| Error::new(Kind::Io, format!("the file cannot be written: {e}")))?;
        *at += data.len() as u64;
        Ok(())
    }

    fn feedback(&self, _: u32, _: u64, _: &[f32]) -> Result<(), Error> {
        Ok(())
    }
}
