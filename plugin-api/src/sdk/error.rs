//! The error authors return: a sentence, what it concerns, what to do next.

use crate::abi;

/// What went wrong, in the host's categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing more precise fits.
    Other,
    /// An option or level that the backend refuses.
    InvalidRequest,
    /// A model family or tensor that the format cannot hold.
    UnsupportedModel,
    /// The host asked to stop.
    Cancelled,
    /// A memory budget was refused.
    OutOfMemory,
    /// A device is missing or failed.
    Device,
    /// Input bytes are not what they claim to be.
    CorruptInput,
    /// The host could not read or write.
    Io,
    /// A panic was caught at the boundary.
    Panic,
    /// Statistics that the level needs are missing.
    MissingStatistics,
    /// The backend does not do this at all.
    UnsupportedOperation,
}

const KINDS: [(Kind, abi::ErrorKind); 11] = [
    (Kind::Other, abi::ErrorKind::OTHER),
    (Kind::InvalidRequest, abi::ErrorKind::INVALID_REQUEST),
    (Kind::UnsupportedModel, abi::ErrorKind::UNSUPPORTED_MODEL),
    (Kind::Cancelled, abi::ErrorKind::CANCELLED),
    (Kind::OutOfMemory, abi::ErrorKind::OUT_OF_MEMORY),
    (Kind::Device, abi::ErrorKind::DEVICE),
    (Kind::CorruptInput, abi::ErrorKind::CORRUPT_INPUT),
    (Kind::Io, abi::ErrorKind::IO),
    (Kind::Panic, abi::ErrorKind::PANIC),
    (Kind::MissingStatistics, abi::ErrorKind::MISSING_STATISTICS),
    (Kind::UnsupportedOperation, abi::ErrorKind::UNSUPPORTED_OPERATION),
];

/// An error with everything a person needs.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Category; decides the exit code.
    pub kind: Kind,
    /// The sentence, with numbers.
    pub message: String,
    /// What to do next, or empty.
    pub hint: String,
    /// Tensor, option, key or file it concerns, or empty.
    pub subject: String,
    /// Place of a caught panic, or empty.
    pub backtrace: String,
}

impl Error {
    /// An error of a kind with its sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: String::new(), subject: String::new(), backtrace: String::new() }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = hint.into();
        self
    }

    /// Adds the tensor, option, key or file it concerns.
    pub fn subject(mut self, subject: impl Into<String>) -> Error {
        self.subject = subject.into();
        self
    }

    /// The host asked to stop.
    pub fn cancelled() -> Error {
        Error::new(Kind::Cancelled, "the job was cancelled")
    }

    /// The backend does not do `what` at all.
    pub fn unsupported(what: &str) -> Error {
        Error::new(Kind::UnsupportedOperation, format!("this backend cannot {what}"))
    }
}

impl From<crate::wire::WireError> for Error {
    fn from(error: crate::wire::WireError) -> Error {
        Error::new(Kind::Other, error.to_string()).hint("host and plugin disagree about the interface; update both")
    }
}

impl From<Error> for abi::PluginError {
    fn from(error: Error) -> abi::PluginError {
        let kind = KINDS.iter().find(|(k, _)| *k == error.kind).map_or(abi::ErrorKind::OTHER, |(_, a)| *a);
        abi::PluginError {
            kind,
            message: error.message.into(),
            hint: error.hint.into(),
            subject: error.subject.into(),
            backtrace: error.backtrace.into(),
            ext: Default::default(),
        }
    }
}

impl From<abi::PluginError> for Error {
    fn from(error: abi::PluginError) -> Error {
        Error {
            kind: KINDS.iter().find(|(_, a)| *a == error.kind).map_or(Kind::Other, |(k, _)| *k),
            message: error.message.into(),
            hint: error.hint.into(),
            subject: error.subject.into(),
            backtrace: error.backtrace.into(),
        }
    }
}
