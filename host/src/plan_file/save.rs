//! A plan file on disk: whole under its name, or not there.

use crate::failure::{Class, Failure};
use std::fs;
use std::path::Path;

/// Refuses a place where a plan is already, which may hold edits, unless it may be replaced.
pub fn check_place(path: &Path, overwrite: bool) -> Result<(), Failure> {
    if overwrite || !path.exists() {
        return Ok(());
    }
    let message = format!("The plan file `{}` exists already", path.display());
    Err(Failure::new(Class::InvalidArguments, message)
        .suggest("Choose another name, or replace it with --overwrite; `plan diff` compares two plans"))
}

/// Writes a plan; [`check_place`] holds here too.
pub fn save(path: &Path, text: &str, overwrite: bool) -> Result<(), Failure> {
    check_place(path, overwrite)?;
    let shown = path.display();
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        // What could not be finished is of no use to anybody.
        let _ = fs::remove_file(&partial);
        Failure::new(Class::General, format!("The plan file `{shown}` cannot be written: {error}"))
            .suggest("Choose a folder that exists and can be written")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_not_lost_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        save(&path, "a", false).unwrap();
        let failure = save(&path, "b", false).unwrap_err();
        assert!(failure.message.contains("exists already"), "{}", failure.message);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        save(&path, "b", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = save(&folder.path().join("no/plan.toml"), "a", false).unwrap_err();
        assert!(nowhere.message.contains("cannot be written"), "{}", nowhere.message);
    }
}
