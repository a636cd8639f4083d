//! Models in a backend's own format as sources: one file, a set of shards, or a folder.
//!
//! | where | what |
//! |---|---|
//! | `files` | which files belong together |
//! | `reading` | [`Reading`]: mapped files and the reader that knows them |
//! | `as_stored` | the source for a job of the same format: names, encodings and metadata as they are |
//! | `translated` | the source for every other format: Hugging Face's names, config.json, rows decoded |
//! | `fingerprint` | identity for resuming |
//!
//! A job from a format to itself sees the files as they are, because a translation would lose what Hugging Face has no
//! words for: unknown families, metadata, order. Which of the two it is, is decided here and nowhere else; the host knows
//! no format.

mod as_stored;
mod files;
mod fingerprint;
mod reading;
mod translated;

pub use files::{stem, together};
pub use reading::Reading;

use crate::failure::{Class, Failure};
use crate::job::Weights;
use crate::model::{Model, ModelError};
use crate::plugins::Catalogue;
use std::path::Path;

/// Opens whatever a path leads to as the source of a job that writes `format`: a Hugging Face folder, or files of any
/// installed backend's format.
pub fn open(path: &Path, format: &str, catalogue: &Catalogue) -> Result<Box<dyn Weights>, Failure> {
    if path.is_dir() {
        let error = match Model::open(path) {
            Ok(model) => return Ok(Box::new(model)),
            Err(error) => error,
        };
        let elsewhere = matches!(
            error,
            ModelError::AlreadyQuantized { .. } | ModelError::NoConfig { .. } | ModelError::NoWeights { .. }
        );
        return match Reading::of_folder(path, catalogue).ok().flatten().filter(|_| elsewhere) {
            Some(reading) => source(reading, path, format),
            None => Err(error.into()),
        };
    }
    if !path.exists() {
        return Err(ModelError::NotFound { path: path.to_owned() }.into());
    }
    source(Reading::of_file(path, catalogue)?, path, format)
}

fn source(reading: Reading, path: &Path, format: &str) -> Result<Box<dyn Weights>, Failure> {
    let summary = reading.reader.summary();
    if summary.format == format && summary.stored.is_some() {
        return Ok(Box::new(as_stored::AsStored::new(reading, path)?));
    }
    if summary.config.is_null() {
        let why = summary.warnings.join(". ");
        let message =
            format!("`{}` cannot become a `{format}` model: its reader does not rebuild config.json", path.display());
        return Err(Failure::new(Class::UnsupportedConversion, message).suggest(why));
    }
    Ok(Box::new(translated::Translated::new(reading, path)?))
}

/// Whether an encoding is plain numbers, which can be encoded without losing anything a second time.
pub fn is_plain(encoding: &str) -> bool {
    matches!(encoding, "F64" | "F32" | "F16" | "BF16" | "I8" | "I16" | "I32" | "I64" | "U8")
}
