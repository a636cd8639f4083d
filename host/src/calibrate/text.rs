//! The samples of a calibration.

use super::default_text::default_text;
use crate::cancel::Cancel;
use crate::evaluate::refused;
use crate::event::Observer;
use crate::failure::{Class, Failure};
use crate::job::Weights;
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

/// Reads and cuts the text. `rows` is the number of tokens that the model at `model` knows; where the model is no folder
/// with a tokenizer, `weights` may have one in its side files.
///
/// Samples begin as those of llama.cpp's imatrix tool do, so that statistics are the same.
pub fn read_text(
    spec: &TextSpec,
    model: &Path,
    weights: &dyn Weights,
    rows: usize,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Samples, Failure> {
    let tokenizer = match spec.tokenizer.as_deref() {
        None if !has_tokenizer(model) && offers(weights, JSON) => of_side_files(model, weights)?,
        named => tokenizer(named.unwrap_or(model))?,
    };
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

/// The file that a tokenizer is in.
const JSON: &str = "tokenizer.json";
/// The file beside it, with special tokens and chat templates.
const CONFIG: &str = "tokenizer_config.json";

fn has_tokenizer(folder: &Path) -> bool {
    folder.join(JSON).is_file()
}

fn offers(weights: &dyn Weights, name: &str) -> bool {
    weights.description().files.iter().any(|file| file == name)
}

/// The tokenizer that a reader rebuilt.
fn of_side_files(model: &Path, weights: &dyn Weights) -> Result<Tokenizer, Failure> {
    let json = weights.file(JSON)?;
    let config = if offers(weights, CONFIG) { Some(weights.file(CONFIG)?) } else { None };
    let name = format!("{JSON} of {}", model.display());
    Tokenizer::from_parts(&json, config.as_deref(), &name).map_err(refused)
}

fn tokenizer(folder: &Path) -> Result<Tokenizer, Failure> {
    if !has_tokenizer(folder) {
        let message = format!("`{}` has no tokenizer.json", folder.display());
        let hint = "Name a folder that has one with --tokenizer DIR, for example the model's Hugging Face folder";
        return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
    }
    Tokenizer::from_folder(folder).map_err(refused)
}
