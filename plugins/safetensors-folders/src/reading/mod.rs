//! Stored tensors of a folder, rows of those that are plain, and the reader that formats of packed matrices share.

mod files;
mod folder;
pub mod rows;

pub use files::{Tensors, tensors};
pub use folder::{Entry, Heading, PackedFolder, PackedMatrix};

use crate::checkpoint::Stored;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use serde_json::Value;

/// A stored tensor with the number of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Number of the file.
    pub file: usize,
    /// The tensor.
    pub stored: Stored,
}

impl Located {
    /// Its bytes.
    pub fn bytes<'a>(&self, files: &[MappedFile<'a>]) -> Result<&'a [u8], Error> {
        let data = files.get(self.file).and_then(|file| file.data.get(self.stored.start..self.stored.end));
        data.ok_or_else(|| {
            let message = format!("the bytes of tensor `{}` are no longer there", self.stored.name);
            Error::new(Kind::CorruptInput, message).subject(&self.stored.name)
        })
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        (self.stored.end - self.stored.start) as u64
    }
}

/// Bytes of a file of the folder.
pub fn file<'a>(files: &[MappedFile<'a>], name: &str) -> Result<&'a [u8], Error> {
    let found = files.iter().find(|file| file.name == name).map(|file| file.data);
    found.ok_or_else(|| Error::new(Kind::CorruptInput, format!("the folder has no file `{name}`")).subject(name))
}

/// A value of an object by key, if there is one and it is not null.
pub fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

/// Whether the head of a file says one of these words, written without spaces. Heads may be cut off, so this looks for words
/// and not for structure.
pub fn says(files: &[MappedFile], name: &str, words: &[&str]) -> bool {
    let head = files.iter().find(|file| file.name == name).map_or(&b""[..], |file| file.data);
    let dense: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    words.iter().any(|word| dense.windows(word.len()).any(|window| window == word.as_bytes()))
}
