//! The note inside a plugin file that lets the host list it without running its code.

use serde::{Deserialize, Serialize};

/// Name of the ELF (and PE, shortened by the linker) section that holds the manifest.
pub const MANIFEST_SECTION: &str = ".llmq.manifest";

/// Name of the Mach-O section, in segment `__DATA`.
pub const MANIFEST_SECTION_MACH: &str = "__llmq";

/// Contents of the manifest section, written by [`crate::export_plugin!`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Plugin id, `[a-z0-9-]+`.
    pub id: String,
    /// The plugin's own version.
    pub version: String,
    /// Version of this interface that the plugin was built with, for example `1.0.0`.
    pub api: String,
    /// Format ids it handles.
    pub formats: Vec<String>,
    /// One sentence.
    #[serde(default)]
    pub summary: String,
    /// SPDX expression.
    #[serde(default)]
    pub license: String,
}

impl Manifest {
    /// Whether a word can be a plugin or format id: 1 to 64 of `[a-z0-9-]`, first a letter or digit.
    pub fn is_id(word: &str) -> bool {
        (1..=64).contains(&word.len())
            && !word.starts_with('-')
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
}
