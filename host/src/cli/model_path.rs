//! Where a typed model is. In this version: a path that exists.

use crate::failure::{Class, Failure};
use std::path::{Path, PathBuf};

/// The path of a model that exists, or why there is none.
pub fn locate(typed: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(typed);
    match path.try_exists() {
        Ok(true) => Ok(path.to_owned()),
        Ok(false) if is_hub_id(typed) => Err(Failure::new(
            Class::ModelNotFound,
            format!("Model `{typed}` is no local folder, and downloading from the Hugging Face Hub is not in this version yet"),
        )
        .suggest(format!("Download it first, for example with `hf download {typed} --local-dir DIR`, and give that folder"))),
        Ok(false) => Err(Failure::new(Class::ModelNotFound, format!("Model `{typed}` does not exist"))
            .suggest("Check the path; it must be a local folder with config.json and *.safetensors files")),
        Err(e) => Err(Failure::new(Class::ModelNotFound, format!("Model `{typed}` cannot be reached: {e}"))
            .suggest("Check the path and the permissions of the folders above it")),
    }
}

/// Whether a word has the form `owner/name` of a Hub repository.
fn is_hub_id(typed: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-', '~'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    typed.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_ids_are_told_from_paths() {
        for id in ["meta-llama/Llama-2-7b-hf", "a/b.c_d"] {
            assert!(is_hub_id(id), "{id}");
        }
        for path in ["model", "./model", "../m", "/a/b", "a/b/c", "a/", "~/m", "a b/c"] {
            assert!(!is_hub_id(path), "{path}");
        }
    }

    #[test]
    fn absent_models_are_not_found() {
        for typed in ["no/such-model", "no-such-model", "./no/such"] {
            assert_eq!(locate(typed).unwrap_err().class, Class::ModelNotFound);
        }
        assert_eq!(locate(".").unwrap(), Path::new("."));
    }
}
