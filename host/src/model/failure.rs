//! How model errors reach the user: their class of failure and exit code.

use super::{ModelError, ModelErrorKind};
use crate::failure::{Class, Failure};

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Failure {
        let class = match error.kind() {
            ModelErrorKind::NotFound => Class::ModelNotFound,
            ModelErrorKind::Argument => Class::InvalidArguments,
            ModelErrorKind::Damaged | ModelErrorKind::Unsupported | ModelErrorKind::Io => Class::General,
        };
        Failure::new(class, error.to_string()).suggest(error.suggestion())
    }
}
