//! Where a typed model is: a path that exists, or else a repository on the Hub.

use crate::cancel::Cancel;
use crate::event::Observer;
use crate::failure::{Class, Failure};
use crate::hub::{self, Extent, Fetched, HubId, Settings};
use std::path::{Path, PathBuf};

/// A model before anything is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A path that exists.
    Local(PathBuf),
    /// A repository, not asked for yet.
    Hub(HubId),
}

/// A model that can be opened, as long as this value lives.
#[derive(Debug)]
pub enum Reached {
    /// A path of the user.
    Local(PathBuf),
    /// A folder of the cache, or one borrowed from it.
    Fetched(Fetched),
}

/// What a typed model means. A path that exists wins over a repository of the same name; `./org/name` is only a path.
pub fn locate(typed: &str) -> Result<Place, Failure> {
    let path = Path::new(typed);
    match (path.try_exists(), HubId::parse(typed)) {
        (Ok(true), _) => Ok(Place::Local(path.to_owned())),
        (Ok(false), Some(id)) => Ok(Place::Hub(id)),
        (Ok(false), None) => Err(Failure::new(Class::ModelNotFound, format!("Model `{typed}` does not exist"))
            .suggest(
                "Check the path of the local folder, or name a repository of the Hugging Face Hub as org/name[@revision]",
            )),
        (Err(e), _) => Err(Failure::new(Class::ModelNotFound, format!("Model `{typed}` cannot be reached: {e}"))
            .suggest("Check the path and the permissions of the folders above it")),
    }
}

impl Place {
    /// Makes the model reachable by a path, downloading what is missing.
    pub fn reach(&self, extent: Extent, observer: &dyn Observer, cancel: &Cancel) -> Result<Reached, Failure> {
        match self {
            Place::Local(path) => Ok(Reached::Local(path.clone())),
            Place::Hub(id) => hub::fetch(id, extent, &Settings::of_process()?, observer, cancel).map(Reached::Fetched),
        }
    }
}

impl Reached {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Reached::Local(path) => path,
            Reached::Fetched(fetched) => &fetched.folder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_exist_win_and_ids_are_not_asked_for_yet() {
        assert_eq!(locate(".").unwrap(), Place::Local(".".into()));
        // The folder of this crate's sources has the form of an id.
        assert_eq!(locate("src/cli").unwrap(), Place::Local("src/cli".into()));
        assert_eq!(locate("no/such-model").unwrap(), Place::Hub(HubId::parse("no/such-model").unwrap()));
    }

    #[test]
    fn absent_paths_are_not_found() {
        for typed in ["no-such-model", "./no/such", "../no-such", "no/such/model", ""] {
            assert_eq!(locate(typed).unwrap_err().class, Class::ModelNotFound, "{typed}");
        }
    }
}
