//! What is in a model folder or in a quantized file, for `info`. The folder's weights are not read, only described.

mod folder;
mod quantized;
mod services;

pub use folder::FolderInfo;
pub use quantized::{EncodingShare, QuantizedInfo};
pub use services::ReadingServices;

use crate::failure::Failure;
use crate::model::{Model, ModelError};
use crate::plugins::Catalogue;
use serde::Serialize;
use std::path::Path;

/// What a path turned out to be. Both kinds carry the contract's keys.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Inspection {
    /// A Hugging Face folder.
    Folder(Box<FolderInfo>),
    /// A file, or a folder, in some backend's format.
    Quantized(Box<QuantizedInfo>),
}

/// One tensor, for `--tensors`.
#[derive(Debug, Clone, Serialize)]
pub struct TensorLine {
    /// Name as stored.
    pub name: String,
    /// Dtype or encoding.
    pub encoding: String,
    /// Row-major shape in weights.
    pub shape: Vec<u64>,
    /// Stored bytes.
    pub bytes: u64,
}

/// Looks at `path`. Plugins are loaded only if it is no plain model folder; one that cannot be loaded is passed over
/// with a sentence in the result.
pub fn inspect(path: &Path, catalogue: &Catalogue, with_tensors: bool) -> Result<Inspection, Failure> {
    if path.is_file() {
        return quantized::of_file(path, catalogue, with_tensors);
    }
    match Model::open(path) {
        Ok(model) => Ok(Inspection::Folder(Box::new(FolderInfo::of(&model, with_tensors)))),
        Err(
            error @ (ModelError::AlreadyQuantized { .. } | ModelError::NoConfig { .. } | ModelError::NoWeights { .. }),
        ) => {
            let found = quantized::of_folder(path, catalogue, with_tensors)?;
            found.ok_or_else(|| unread(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// The model's own words fit a folder that is to be quantized; one that only lacks its reader gets another suggestion.
fn unread(error: ModelError) -> Failure {
    let quantized = matches!(error, ModelError::AlreadyQuantized { .. });
    let failure = Failure::from(error);
    match quantized {
        true => failure
            .suggest("No installed plugin reads this format; `llm-quantize plugins list` shows what is installed"),
        false => failure,
    }
}
