//! `statistics.json`: of which model and texts the statistics are, and which units are complete.

use serde::{Deserialize, Serialize};

use super::FolderError;
use crate::collect::Options;
use crate::unit::GramWidth;

/// Version of the folder's layout.
pub const VERSION: u32 = 1;

/// Longest `statistics.json` that is read, in bytes.
pub const MAX_MANIFEST: u64 = 64 << 20;

/// What the statistics are of: the same for every unit, and what a resumed run must have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Fingerprint of the model.
    pub model: String,
    /// Program and version that gathered them.
    pub tool: String,
    /// The texts.
    pub texts: Vec<Text>,
    /// What was gathered.
    pub settings: Settings,
}

/// A text that went through the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Name for people: a file name without its folder.
    pub name: String,
    /// SHA-256 of the tokens, hexadecimal.
    pub sha256: String,
    /// Samples.
    pub samples: u64,
    /// Tokens of a sample.
    pub seqlen: u64,
    /// Tokens of all samples.
    pub tokens: u64,
}

/// What is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For feeds without experts.
    pub dense: Options,
    /// For each expert.
    pub experts: Options,
    /// In what form Gram matrices are stored.
    #[serde(default)]
    pub gram_width: GramWidth,
}

/// A complete unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Id; its file is `<id>.safetensors`.
    pub id: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
}

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// What the statistics are of.
    #[serde(flatten)]
    pub subject: Subject,
    /// Complete units, in the order of their ids.
    pub units: Vec<Unit>,
}

impl Manifest {
    /// Reads the document.
    ///
    /// # Errors
    /// What is not such a document; the sentence says why.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(format!("it is longer than {MAX_MANIFEST} bytes"));
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|problem| problem.to_string())?;
        if manifest.version != VERSION {
            return Err(format!("it has version {}; this program knows version {VERSION}", manifest.version));
        }
        if let Some(unit) = manifest.units.iter().find(|unit| !is_unit_id(&unit.id)) {
            return Err(format!("`{}` cannot be the id of a unit", unit.id.escape_debug()));
        }
        if !manifest.units.is_sorted_by(|a, b| a.id < b.id) {
            return Err("its units are not in the order of their ids, or come twice".to_owned());
        }
        Ok(manifest)
    }
}

/// Whether a unit may be called so: its id is a file name.
pub(super) fn is_unit_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !id.is_empty() && id.len() <= 200 && !id.starts_with('.') && id.chars().all(plain)
}

impl Subject {
    /// What differs between two subjects of which one should continue the other.
    pub(super) fn must_equal(&self, other: &Subject) -> Result<(), FolderError> {
        let differs = |what: &'static str, here: String, asked: String| FolderError::Differs { what, here, asked };
        if self.model != other.model {
            return Err(differs("model", self.model.clone(), other.model.clone()));
        }
        if self.texts != other.texts {
            return Err(differs("texts", names(&self.texts), names(&other.texts)));
        }
        if self.settings != other.settings {
            return Err(differs("settings", format!("{:?}", self.settings), format!("{:?}", other.settings)));
        }
        if self.tool != other.tool {
            return Err(differs("program", self.tool.clone(), other.tool.clone()));
        }
        Ok(())
    }
}

fn names(texts: &[Text]) -> String {
    let name = |text: &Text| {
        let digest = text.sha256.get(..12).unwrap_or(&text.sha256);
        format!("{} ({digest}..., {} x {} tokens)", text.name, text.samples, text.seqlen)
    };
    texts.iter().map(name).collect::<Vec<_>>().join(", ")
}
