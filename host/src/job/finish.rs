//! Final names: given only to complete, durable and valid files.

use super::stop::{Stop, storage};
use super::storage::Storage;
use super::target::Target;
use crate::disk;
use llmq_plugin_api::wire::Plan;
use std::io;
use std::path::Path;

/// Gives the output its final name, replacing what has it.
pub fn publish(target: &Target, plan: &Plan, place: &dyn Storage) -> Result<(), Stop> {
    for (partial, name) in target.renames(plan, ".partial") {
        let exists = target.is_folder() && std::fs::symlink_metadata(&name).is_ok();
        let renamed = if exists { replace_folder(&partial, &name, place) } else { place.rename(&partial, &name) };
        renamed.map_err(|e| storage("give its final name to", &partial, &e))?;
    }
    disk::sync_directory(&target.dir).map_err(|e| storage("flush the folder", &target.dir, &e))
}

/// Keeps a refused output for inspection, under a name that nothing takes for a result.
pub fn reject(target: &Target, plan: &Plan) -> io::Result<()> {
    let rejected = target.renames(plan, ".rejected");
    for ((partial, _), (rejected, _)) in target.renames(plan, ".partial").into_iter().zip(rejected) {
        if target.is_folder() && rejected.is_dir() {
            std::fs::remove_dir_all(&rejected)?;
        }
        std::fs::rename(&partial, &rejected)?;
    }
    Ok(())
}

/// A folder cannot be renamed over another one. Where the system can swap two names there is no moment without an
/// output; elsewhere there is a short one.
fn replace_folder(partial: &Path, name: &Path, place: &dyn Storage) -> io::Result<()> {
    if disk::exchange(partial, name).is_ok() {
        return std::fs::remove_dir_all(partial);
    }
    let mut old = name.as_os_str().to_owned();
    old.push(".replaced");
    let old = Path::new(&old);
    place.rename(name, old)?;
    place.rename(partial, name)?;
    std::fs::remove_dir_all(old)
}
