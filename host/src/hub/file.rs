//! One file of a repository, from the cache or from the server.

use super::cache::Shelf;
use super::fetch::Job;
use super::id::HubId;
use super::remote::Remote;
use super::settings::Settings;
use crate::cancel::Cancel;
use crate::event::Observer;
use crate::failure::{Class, Failure};
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a server that does not answer: what is fetched here can be done without.
const PATIENCE: Duration = Duration::from_secs(2);

/// Fetches a file that can be done without. One that is in the cache is not asked for again.
///
/// # Errors
/// No network, or none that may be used; a server that does not answer at once; no such file.
pub fn fetch_file(
    id: &HubId,
    name: &str,
    settings: &Settings,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<PathBuf, Failure> {
    let shelf = Shelf::new(&settings.cache, id);
    let noted = shelf.commit().map(|commit| shelf.snapshot(&commit).join(name));
    if let Some(path) = noted.filter(|path| path.is_file()) {
        return Ok(path);
    }
    if settings.offline {
        let message = format!("the cache has no `{name}` of `{id}`, and HF_HUB_OFFLINE forbids to ask");
        return Err(Failure::new(Class::ModelNotFound, message));
    }
    let quick = Settings {
        attempts: 1,
        answer_timeout: settings.answer_timeout.min(PATIENCE),
        stall_timeout: settings.stall_timeout.min(PATIENCE),
        ..settings.clone()
    };
    let listing = Remote::new(id, &quick, cancel).listing()?;
    let commit = listing.commit.as_str();
    if !listing.files.contains_key(name) {
        let message = format!("the {} `{id}` has no file `{name}`", id.holding.word());
        return Err(Failure::new(Class::ModelNotFound, message));
    }
    let remote = Remote::new(id, settings, cancel);
    shelf.create(commit)?;
    let job = Job { id, remote: &remote, shelf: &shelf, listing: &listing, observer };
    job.download(&[job.file(name)?])?;
    shelf.note_commit(commit)?;
    Ok(shelf.snapshot(commit).join(name))
}
