//! The one error type of the host's surface: a class with its exit code, a sentence, and what to do next.

use llmq_plugin_api::sdk;
use serde::Serialize;

/// Classes of failure with the exit codes of the command line contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anything without a class of its own.
    General,
    /// What was typed cannot be done: unknown level, bad option, output not writable.
    InvalidArguments,
    /// The model does not exist or is not complete.
    ModelNotFound,
    /// A repository needs a token, or the token does not open it.
    AuthenticationRequired,
    /// A memory budget or the machine's memory does not suffice.
    OutOfMemory,
    /// The written file does not hold what it should; it was not kept under its final name.
    ValidationFailed,
    /// A checkpoint cannot be used, or cannot be written.
    Checkpoint,
    /// No conversion between the two formats exists.
    UnsupportedConversion,
    /// The user declined.
    UserCancelled,
    /// Stopped by a signal; the job can be resumed.
    Interrupted,
}

impl Class {
    /// The process exit code. 0 to 9 are the contract's; 130 is what shells give a program stopped by Ctrl-C.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::General => 1,
            Class::InvalidArguments => 2,
            Class::ModelNotFound => 3,
            Class::AuthenticationRequired => 4,
            Class::OutOfMemory => 5,
            Class::ValidationFailed => 6,
            Class::Checkpoint => 7,
            Class::UnsupportedConversion => 8,
            Class::UserCancelled => 9,
            Class::Interrupted => 130,
        }
    }

    /// The `error_type` word of the JSON error object.
    pub fn error_type(self) -> &'static str {
        match self {
            Class::General => "GeneralError",
            Class::InvalidArguments => "InvalidArgumentsError",
            Class::ModelNotFound => "ModelNotFoundError",
            Class::AuthenticationRequired => "AuthenticationRequiredError",
            Class::OutOfMemory => "OutOfMemoryError",
            Class::ValidationFailed => "ValidationFailedError",
            Class::Checkpoint => "CheckpointError",
            Class::UnsupportedConversion => "UnsupportedConversionError",
            Class::UserCancelled => "UserCancelledError",
            Class::Interrupted => "InterruptedError",
        }
    }
}

/// A failure as it reaches the user.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Decides exit code and `error_type`.
    pub class: Class,
    /// What happened and where, one or more sentences.
    pub message: String,
    /// What to do next; empty if there is nothing sensible to say.
    pub suggestion: String,
}

/// The JSON error object of the contract.
#[derive(Debug, Serialize)]
pub struct ErrorObject<'a> {
    status: &'static str,
    error_code: u8,
    error_type: &'static str,
    message: &'a str,
    suggestion: &'a str,
}

impl Failure {
    /// A failure of a class with its sentence.
    pub fn new(class: Class, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), suggestion: String::new() }
    }

    /// Adds what to do next.
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Failure {
        self.suggestion = suggestion.into();
        self
    }

    /// The JSON error object.
    pub fn object(&self) -> ErrorObject<'_> {
        ErrorObject {
            status: "error",
            error_code: self.class.exit_code(),
            error_type: self.class.error_type(),
            message: &self.message,
            suggestion: &self.suggestion,
        }
    }
}

impl From<sdk::Error> for Failure {
    fn from(error: sdk::Error) -> Failure {
        let class = match error.kind {
            sdk::Kind::InvalidRequest | sdk::Kind::MissingStatistics => Class::InvalidArguments,
            sdk::Kind::OutOfMemory => Class::OutOfMemory,
            sdk::Kind::Cancelled => Class::Interrupted,
            _ => Class::General,
        };
        let mut message = error.message;
        if !error.backtrace.is_empty() {
            message.push_str(&format!(" (at {})", error.backtrace));
        }
        Failure { class, message, suggestion: error.hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_object_has_exactly_the_contract_s_keys() {
        let failure = Failure::new(Class::ModelNotFound, "no such folder").suggest("check the path");
        let text = serde_json::to_string(&failure.object()).unwrap();
        let expected = r#"{"status":"error","error_code":3,"error_type":"ModelNotFoundError","message":"no such folder","suggestion":"check the path"}"#;
        assert_eq!(text, expected);
    }
}
