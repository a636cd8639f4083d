//! The first run of an unknown plugin, in a child process: what crashes there crashes alone.

use super::load::open_here;
use crate::child::{self, Ending};
use llmq_plugin_api::client::LoadError;
use llmq_plugin_api::wire;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// Hidden command of the executable that runs [`probe_main`].
pub const PROBE_VERB: &str = "__probe-plugin";

/// What a probe found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Probed {
    /// It loaded and described itself.
    Loads {
        /// Id as its code states it.
        id: String,
        /// Version as its code states it.
        version: String,
        /// Whether it was built with an older minor version of the interface.
        older_interface: bool,
        /// Its self-description.
        descriptor: Box<wire::Descriptor>,
    },
    /// The loader, or the plugin itself, refused properly.
    Refused {
        /// The sentence.
        message: String,
        /// Whether the interface does not fit, rather than the file being broken.
        incompatible: bool,
        /// A long explanation for the curious, or empty.
        detail: String,
    },
    /// It ended its process.
    Crashed {
        /// How.
        message: String,
    },
    /// It neither answered nor ended. Not remembered: the machine may have been busy.
    Hung {
        /// How long it was given.
        message: String,
    },
}

/// Loads `file` in a child process, a run of `executable`, and says what happened.
pub fn probe(executable: &Path, file: &Path, limit: Duration) -> std::io::Result<Probed> {
    let outcome = child::run(executable, PROBE_VERB, file, limit)?;
    let spoken = outcome.documents.iter().rev().find_map(|text| wire::decode::<Probed>("probe", text).ok());
    Ok(match (outcome.ending, spoken) {
        (Ending::Code(0), Some(probed)) => probed,
        (ending @ Ending::TimedOut(_), _) => Probed::Hung { message: ending.to_string() },
        (ending, _) => {
            let mut message = format!("when it was tried in a child process, {ending}");
            if !outcome.last_words.is_empty() {
                message.push_str(&format!(" saying \"{}\"", outcome.last_words));
            }
            Probed::Crashed { message }
        }
    })
}

/// The child's side: loads the file into this very process, prints a [`Probed`] document and returns the exit code.
#[allow(clippy::print_stdout)] // the parent reads it there
pub fn probe_main(file: &Path) -> i32 {
    child::forbid_core_files();
    let probed = match open_here(file) {
        Ok(loaded) => Probed::Loads {
            descriptor: Box::new(loaded.backend.descriptor().clone()),
            id: loaded.id,
            version: loaded.version,
            older_interface: loaded.older_interface,
        },
        Err(error) => Probed::Refused {
            message: error.to_string(),
            incompatible: matches!(error, LoadError::Version { .. } | LoadError::Layout { .. }),
            detail: match error {
                LoadError::Layout { detail, .. } => detail,
                _ => String::new(),
            },
        },
    };
    // A plugin's constructors may have printed without ending their line.
    println!("\n{}", wire::encode(&probed));
    0
}
