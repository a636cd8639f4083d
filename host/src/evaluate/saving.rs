//! A model's log-probabilities into llama.cpp's file: room is made before the work, and the file gets its name when it is
//! whole.

use crate::disk;
use crate::failure::{Class, Failure};
use crate::report::number;
use llmq_measure::base_logits::{BaseLogitsError, BaseLogitsWriter, EncodedRow, Header};
use llmq_text::Samples;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file of log-probabilities that is being written.
pub struct Saving {
    path: PathBuf,
    file: NamedTempFile,
    writer: BaseLogitsWriter<BufWriter<File>>,
}

impl Saving {
    /// Begins it beside its place: sizes and text are written, and the disk must have room for all rows.
    pub fn begin(path: &Path, samples: &Samples, vocabulary: usize) -> Result<Saving, Failure> {
        let failed = |problem: &dyn std::fmt::Display| cannot_be_written(path, problem);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or_else(|| failed(&"it names no file"))?.to_string_lossy();
        if path.is_dir() {
            return Err(failed(&"a folder has this name"));
        }
        // What a killed run leaves behind must say what it is.
        let prefix = format!(".{name}.");
        let made = tempfile::Builder::new().prefix(&prefix).suffix(".partial").tempfile_in(folder);
        let file = made.map_err(|e| failed(&e))?;
        let own = file.as_file().try_clone().map_err(|e| failed(&e))?;
        let context = u32::try_from(samples.seqlen).map_err(|e| failed(&e))?;
        let vocabulary = u32::try_from(vocabulary).map_err(|e| failed(&e))?;
        let writer =
            BaseLogitsWriter::create(BufWriter::with_capacity(1 << 20, own), context, vocabulary, &samples.text());
        let writer = writer.map_err(|e| failed(&e))?;
        let header = writer.header();
        if header.rows().is_empty() {
            return Err(failed(&format!("chunks of {context} tokens leave no position to write; use longer ones")));
        }
        let bytes = header.file_bytes().ok_or_else(|| failed(&"it would be longer than any file"))?;
        let room = |free: Option<u64>| {
            let free = free.map_or_else(String::new, |free| format!(" and {} are free", number::bytes(free)));
            let message = format!(
                "`{}` will be {} ({bytes} bytes: {} chunks of {context} tokens over a vocabulary of {vocabulary}){free}",
                path.display(),
                number::bytes(bytes),
                header.chunks
            );
            Failure::new(Class::InvalidArguments, message)
                .suggest("Use fewer chunks with --chunks N, or a place with more room")
        };
        if let Some(free) = disk::free_bytes(folder).ok().filter(|free| *free < bytes) {
            return Err(room(Some(free)));
        }
        disk::allocate(file.as_file(), bytes).map_err(|error| match disk::is_full(&error) {
            true => room(disk::free_bytes(folder).ok()),
            false => failed(&error),
        })?;
        Ok(Saving { path: path.to_owned(), file, writer })
    }

    /// Makes rows: see [`Header::encode`].
    pub(super) fn header(&self) -> &Header {
        self.writer.header()
    }

    /// Writes the next row.
    pub(super) fn row(&mut self, row: &EncodedRow) -> Result<(), Failure> {
        let Saving { path, writer, .. } = self;
        writer.encoded(row).map_err(|error: BaseLogitsError| cannot_be_written(path, &error))
    }

    /// Flushes it to the disk and gives it its name. A file that exists is replaced. Returns its length.
    pub fn finish(self) -> Result<u64, Failure> {
        let failed = |problem: &dyn std::fmt::Display| cannot_be_written(&self.path, problem);
        let bytes = self.writer.header().file_bytes().unwrap_or_default();
        self.writer.finish().map_err(|e| failed(&e))?;
        let length = self.file.as_file().metadata().map_err(|e| failed(&e))?.len();
        if length != bytes {
            return Err(failed(&format!("{length} bytes are there in place of {bytes}")));
        }
        self.file.as_file().sync_all().map_err(|e| failed(&e))?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            self.file.as_file().set_permissions(mode).map_err(|e| failed(&e))?;
        }
        self.file.persist(&self.path).map_err(|e| failed(&e.error))?;
        Ok(bytes)
    }
}

fn cannot_be_written(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(Class::InvalidArguments, format!("`{}` cannot be written: {problem}", path.display()))
        .suggest("Check the folder, its permissions and the free space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_shows_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let samples = Samples::of_tokens(vec![0; 1 << 18], 1 << 10, None);
        // 128 k rows of 32 MiB.
        let failure = Saving::begin(&folder.path().join("large.kld"), &samples, 1 << 24).err().unwrap();
        assert!(failure.message.contains("will be 4.4 TB"), "{}", failure.message);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        let short = Samples::of_tokens(vec![0; 8], 2, None);
        let failure = Saving::begin(&folder.path().join("short.kld"), &short, 8).err().unwrap();
        assert!(failure.message.contains("leave no position to write"), "{}", failure.message);
    }
}
