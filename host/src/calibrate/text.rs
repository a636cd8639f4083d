//! The samples of a calibration.

use super::default_text::default_text;
use crate::cancel::Cancel;
use crate::evaluate::refused;
use crate::event::Observer;
use crate::failure::{Class, Failure};
use llmq_text::{Heads, Packing, Samples, TextFile, TextOptions, Tokenizer};
use std::path::{Path, PathBuf};

/// Which text, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSpec {
    /// Files; a text that is at hand if none is named.
    pub files: Vec<PathBuf>,
    /// Tokens of a sample.
    pub seqlen: usize,
    /// Most samples.
    pub samples: usize,
    /// Seed of the order of samples.
    pub shuffle: Option<u64>,
    /// Folder of the tokenizer; the model's if it is not named.
    pub tokenizer: Option<PathBuf>,
}

/// Reads and cuts the text. `rows` is the number of tokens that the model at `model` knows.
///
/// Samples begin as those of llama.cpp's imatrix tool do, so that statistics are the same.
pub fn read_text(
    spec: &TextSpec,
    model: &Path,
    rows: usize,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Samples, Failure> {
    let tokenizer = tokenizer(spec.tokenizer.as_deref().unwrap_or(model))?;
    let open = |path: &PathBuf| TextFile::open(path, &TextOptions::default()).map_err(refused);
    let files = match spec.files.is_empty() {
        true => vec![default_text(observer, cancel)?],
        false => spec.files.iter().map(open).collect::<Result<_, _>>()?,
    };
    let packing = Packing {
        samples: Some(spec.samples),
        shuffle: spec.shuffle,
        heads: Heads::LlamaCpp,
        rows: u32::try_from(rows).ok(),
        ..Packing::new(spec.seqlen)
    };
    llmq_text::samples(&files, &tokenizer, &packing).map_err(refused)
}

/// What a text is called in results, which do not depend on where it lies.
pub fn text_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn tokenizer(folder: &Path) -> Result<Tokenizer, Failure> {
    if !folder.join("tokenizer.json").is_file() {
        let message = format!("`{}` has no tokenizer.json", folder.display());
        let hint = "Name a folder that has one with --tokenizer DIR, for example the model's Hugging Face folder";
        return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
    }
    Tokenizer::from_folder(folder).map_err(refused)
}
