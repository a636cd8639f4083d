//! Telling in a moment whether a model is still the one a job began with.
//!
//! Hashing 140 GB takes minutes before any work starts, so weights are sampled: every weight file contributes its
//! name, length, header and first and last MiB, and every tensor 4 KiB from its middle. Training, merging, casting or
//! re-sharding changes whole tensors and so all of these. What sampling can miss is a few values edited in place, and
//! those move the file's time of change, which is kept apart: a model copied to another machine has equal content and
//! other times. Side files are hashed whole, because tokenizer, templates and README end up in outputs.

use super::{Model, ModelError};
use std::fmt;
use xxhash_rust::xxh3::Xxh3;

/// Bytes taken from both ends of every weight file.
const END: usize = 1 << 20;
/// Bytes taken from the middle of every tensor.
const SAMPLE: usize = 4096;

/// Identity of a model. Resuming a job asks for full equality; sharing statistics between machines for equal content.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint {
    /// What the model is, wherever it lies: 32 hexadecimal digits.
    pub content: String,
    /// When its weight files were last changed: 32 hexadecimal digits.
    pub times: String,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.content, self.times)
    }
}

pub(super) fn fingerprint(model: &Model) -> Result<Fingerprint, ModelError> {
    let mut content = Xxh3::new();
    let mut times = Xxh3::new();
    // The first word names this recipe: a change of the recipe must change every fingerprint.
    field(&mut content, b"llmq-model-1");
    for name in &model.description().files {
        field(&mut content, name.as_bytes());
        field(&mut content, &model.file(name)?);
    }
    for file in model.weight_files() {
        let bytes = file.bytes();
        field(&mut content, file.name().as_bytes());
        content.update(&(bytes.len() as u64).to_le_bytes());
        let header = model.header_length(bytes);
        field(&mut content, &bytes[..header.saturating_add(END).min(bytes.len())]);
        field(&mut content, &bytes[bytes.len().saturating_sub(END)..]);
        times.update(&file.modified_nanos().to_le_bytes());
    }
    for index in 0..model.description().tensors.len() {
        let (_, bytes) = model.stored(index)?;
        let start = bytes.len().saturating_sub(SAMPLE) / 2;
        field(&mut content, &bytes[start..bytes.len().min(start + SAMPLE)]);
        if let Some(scale) = model.scale(index)? {
            field(&mut content, &scale[..scale.len().min(SAMPLE)]);
        }
    }
    Ok(Fingerprint { content: format!("{:032x}", content.digest128()), times: format!("{:032x}", times.digest128()) })
}

/// Length first, so that no two sequences of fields run together to the same bytes.
fn field(hash: &mut Xxh3, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
