//! Why a running job ended early, and whether what it wrote is worth keeping.

use crate::disk;
use crate::failure::{Class, Failure};
use llmq_plugin_api::sdk;
use std::io;
use std::path::Path;

/// An early end.
#[derive(Debug, Clone)]
pub struct Stop {
    /// What the user is told.
    pub failure: Failure,
    /// Whether the same job can get further when it is started again: true for a full disk or Ctrl-C, false for a
    /// weight that is no number.
    pub resumable: bool,
}

impl Stop {
    /// An end after which going on makes sense.
    pub fn resumable(failure: Failure) -> Stop {
        Stop { failure, resumable: true }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop { resumable: failure.class == Class::Interrupted, failure }
    }
}

/// A failure of storage: nothing computed so far is wrong, so it is resumable.
pub fn storage(action: &str, path: &Path, error: &io::Error) -> Stop {
    let message = format!("cannot {action} `{}`: {error}", path.display());
    Stop::resumable(Failure::new(Class::General, message))
}

/// Like [`storage`], for calls that need space: a full disk is told with numbers.
pub fn storage_needing(action: &str, path: &Path, error: &io::Error, needed: u64, free: io::Result<u64>) -> Stop {
    if !disk::is_full(error) {
        return storage(action, path, error);
    }
    let free = free.map_or_else(|_| "an unknown number of".to_owned(), |bytes| bytes.to_string());
    let message =
        format!("the disk is full: cannot {action} `{}`, {needed} bytes needed, {free} bytes free", path.display());
    Stop::resumable(Failure::new(Class::General, message).suggest("Make room, or choose another --output-dir."))
}

/// A failure that the backend reported for a unit.
pub fn backend(plugin: &str, unit: &str, error: sdk::Error) -> Stop {
    use sdk::Kind::*;
    let resumable = matches!(error.kind, Cancelled | OutOfMemory | Device | Io | Other);
    let subject = if error.subject.is_empty() || error.message.contains(&error.subject) {
        String::new()
    } else {
        format!(" (`{}`)", error.subject)
    };
    let mut failure = Failure::from(error);
    if failure.class == Class::InvalidArguments {
        // The request was accepted when the job was planned; now it is the backend that contradicts itself.
        failure.class = Class::General;
    }
    failure.message = format!("plugin `{plugin}` failed in unit `{unit}`{subject}: {}", failure.message);
    Stop { failure, resumable }
}
