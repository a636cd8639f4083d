//! The walk over the search folders: names, permissions, headers and manifests. No code of any plugin runs.

use super::cache::Cache;
use super::catalogue::{Catalogue, Entry, Status};
use super::file_identity::FileIdentity;
use super::image::{ImageFault, read_manifest};
use super::search::{Folder, Search, Searched, Surroundings, Tier};
use super::{Loader, file_name_of, id_of_file_name, trust};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Finds and judges every plugin file, without running any.
pub fn discover(search: &Search) -> Catalogue {
    // Crashes of the past are part of the environment too: a search without it must not depend on the machine.
    let loader = if search.env { Loader::from_environment() } else { Loader::default() };
    discover_with(search, &loader)
}

/// Like [`discover`], with crashes remembered in the loader's cache.
pub fn discover_with(search: &Search, loader: &Loader) -> Catalogue {
    walk(search, &Surroundings::of_process(), &Cache::read(loader.cache_file.as_deref()))
}

fn walk(search: &Search, around: &Surroundings, cache: &Cache) -> Catalogue {
    let disabled = if search.env { around.disabled_ids() } else { Vec::new() };
    let mut catalogue = Catalogue::default();
    let mut seen = BTreeSet::new();
    for (path, tier) in search.folders(around) {
        let found = match plugin_files(&path, tier) {
            Ok(files) => {
                let count = files.len();
                for file in files {
                    // The same file through another link or another tier is the same plugin.
                    let real = file.canonicalize();
                    if real.as_ref().is_ok_and(|real| !seen.insert(real.clone())) {
                        continue;
                    }
                    let (manifest, status) = match real {
                        Ok(real) => judge(&file, &real, search.allow_insecure, &disabled, cache),
                        Err(error) => (None, Status::Broken(format!("the link leads nowhere: {error}"))),
                    };
                    catalogue.entries.push(Entry { path: file, tier, manifest, status });
                }
                Folder::Read(count)
            }
            Err(folder) => folder,
        };
        catalogue.searched.push(Searched { path, tier, found });
    }
    mark_shadowed(&mut catalogue.entries);
    catalogue
}

/// Files with the name of a plugin, sorted by name, not recursive.
fn plugin_files(folder: &Path, tier: Tier) -> Result<Vec<PathBuf>, Folder> {
    if tier == Tier::PluginPath && folder.is_relative() {
        return Err(Folder::Refused("a relative folder would depend on where the program is started".into()));
    }
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Folder::Absent),
        Err(error) => return Err(Folder::Refused(error.to_string())),
    };
    let mut files = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| Folder::Refused(error.to_string()))?;
        if entry.file_name().to_str().and_then(id_of_file_name).is_some() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

type Judged = (Option<llmq_plugin_api::wire::Manifest>, Status);

fn judge(file: &Path, real: &Path, allow_insecure: bool, disabled: &[String], cache: &Cache) -> Judged {
    // Opening a pipe or a device would wait for ever, so what is not a file is never opened.
    if !real.is_file() {
        return (None, Status::Broken("it is not a regular file".into()));
    }
    let read = read_manifest(real);
    let manifest = read.as_ref().ok().cloned();
    let promised = file.file_name().and_then(|n| id_of_file_name(n.to_str()?)).unwrap_or_default();
    let id = manifest.as_ref().map_or(promised.as_str(), |m| m.id.as_str());
    if disabled.iter().any(|d| d == id) {
        return (manifest, Status::Disabled("LLM_QUANTIZE_DISABLE_PLUGINS names it".into()));
    }
    if !allow_insecure && let Err(reason) = trust::check(real) {
        return (manifest, Status::Untrusted(reason));
    }
    match read {
        Err(ImageFault::Broken(reason)) => return (manifest, Status::Broken(reason)),
        Err(ImageFault::Incompatible(reason)) => return (manifest, Status::Incompatible(reason)),
        Ok(read) if read.id != promised => {
            let message = format!(
                "the file is named for `{promised}`, its manifest says `{}`; it must be called {}",
                read.id,
                file_name_of(&read.id)
            );
            return (manifest, Status::Broken(message));
        }
        Ok(_) => {}
    }
    let status = match FileIdentity::of(real) {
        Ok(identity) => cache.crash_of(&identity).map_or(Status::Usable, |r| Status::Crashed(r.to_owned())),
        Err(error) => Status::Broken(format!("it cannot be examined: {error}")),
    };
    (manifest, status)
}

/// The first usable file of an id wins. A file that cannot be used shadows nothing.
fn mark_shadowed(entries: &mut [Entry]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in entries.iter_mut().filter(|e| e.status == Status::Usable) {
        match first.get(&entry.id()) {
            Some(by) => entry.status = Status::Shadowed { by: by.clone() },
            None => drop(first.insert(entry.id(), entry.path.clone())),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "discover_tests.rs"]
mod tests;
