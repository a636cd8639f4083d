//! The whole way from an id to a folder: ask, choose, make sure there is room, download, link.

use super::cache::Shelf;
use super::checksum::Etag;
use super::choice::{self, MAX_SMALL};
use super::download::Downloads;
use super::headers_only;
use super::id::HubId;
use super::listing::Listing;
use super::remote::{File, Remote};
use super::settings::Settings;
use crate::cancel::Cancel;
use crate::event::{Event, Observer, Silent};
use crate::failure::{Class, Failure};
use crate::report::number;
use std::path::{Path, PathBuf};

/// How much of a model is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Configuration, small files, and the names and shapes of the tensors; the weights read as zeros.
    Headers,
}

/// A folder that holds what was wanted, as long as this value lives.
#[derive(Debug)]
pub struct Fetched {
    /// The folder.
    pub folder: PathBuf,
    /// The folder, if it is only borrowed.
    #[allow(dead_code, reason = "held for its Drop")]
    pub(super) borrowed: Option<tempfile::TempDir>,
}

/// Fetches a model, or finds it in the cache.
pub fn fetch(
    id: &HubId,
    extent: Extent,
    settings: &Settings,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Fetched, Failure> {
    let shelf = Shelf::new(&settings.cache, id);
    if settings.offline {
        return cached(id, &shelf);
    }
    observer.event(Event::Detail(format!("Asking {} for {id}", settings.endpoint)));
    if settings.token.is_some() && settings.endpoint.starts_with("http://") {
        observer.event(Event::Warning("The token travels unencrypted: HF_ENDPOINT is an http address".to_owned()));
    }
    let remote = Remote::new(id, settings, cancel);
    let listing = remote.listing()?;
    let commit = listing.commit.as_str();
    if id.is_commit() && id.revision != commit {
        let message = format!("The server answers with commit {commit} of `{}` for {}", id.repository, id.revision);
        return Err(Failure::new(Class::General, message).suggest("Check HF_ENDPOINT, if it is set"));
    }
    shelf.create(commit)?;
    let job = Job { id, remote: &remote, shelf: &shelf, listing: &listing, observer };
    let mut files = job.small_files()?;
    let (weights, have_headers) = job.weight_files(&files)?;
    // The old format scatters what it says of its tensors over the file.
    let extent = if have_headers { extent } else { Extent::Whole };
    match extent {
        Extent::Whole => {
            files.extend(weights);
            job.download(&files)?;
            shelf.note_commit(commit)?;
            Ok(Fetched { folder: shelf.snapshot(commit), borrowed: None })
        }
        Extent::Headers => {
            job.download(&files)?;
            headers_only::assemble(&remote, &shelf, commit, &files, &weights)
        }
    }
}

/// What the cache alone knows of a model. It must be complete.
fn cached(id: &HubId, shelf: &Shelf) -> Result<Fetched, Failure> {
    let missing = |what: &str| {
        Failure::new(Class::ModelNotFound, format!("The cache has no {what} `{id}`, and HF_HUB_OFFLINE forbids to ask"))
            .suggest("Unset HF_HUB_OFFLINE, or name a folder; LLM_QUANTIZE_CACHE or HF_HOME say where the cache is")
    };
    let folder = shelf.commit().map(|commit| shelf.snapshot(&commit)).filter(|folder| folder.is_dir());
    let folder = folder.ok_or_else(|| missing("model"))?;
    let entries = std::fs::read_dir(&folder).map_err(|e| super::cache::storage("list", &folder, &e))?;
    // A link to a content that is not there is no file.
    let names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    match names.iter().any(|name| name == "config.json") && choice::weights(names.iter(), &folder).is_ok() {
        true => Ok(Fetched { folder, borrowed: None }),
        false => Err(missing("complete model")),
    }
}

/// One repository at one commit.
pub(super) struct Job<'a> {
    pub id: &'a HubId,
    pub remote: &'a Remote<'a>,
    pub shelf: &'a Shelf,
    pub listing: &'a Listing,
    pub observer: &'a dyn Observer,
}

impl Job<'_> {
    pub fn file(&self, name: &str) -> Result<File, Failure> {
        let known = self.listing.files.get(name).cloned().unwrap_or_default();
        self.remote.file(&self.listing.commit, name, &known)
    }

    fn small_files(&self) -> Result<Vec<File>, Failure> {
        let mut files = Vec::new();
        for name in choice::small(self.listing.files.keys()) {
            let file = self.file(name)?;
            if file.length > MAX_SMALL {
                let message = format!(
                    "{name} of `{}` has {} bytes; a file of this name may have at most {MAX_SMALL}",
                    self.id, file.length
                );
                return Err(Failure::new(Class::General, message).suggest("Name another repository or revision"));
            }
            files.push(file);
        }
        match files.iter().any(|file| file.name == "config.json") {
            true => Ok(files),
            false => {
                Err(Failure::new(Class::ModelNotFound, format!("The repository `{}` has no config.json", self.id))
                    .suggest("Name a repository with a model in Hugging Face layout (config.json, *.safetensors)"))
            }
        }
    }

    /// The weights' files, and whether they have headers. The index of shards says which these are, so it comes first.
    fn weight_files(&self, small: &[File]) -> Result<(Vec<File>, bool), Failure> {
        let commit = &self.listing.commit;
        let index = choice::index(self.listing.files.keys());
        if let Some(index) = small.iter().find(|file| Some(file.name.as_str()) == index) {
            Downloads::new(self.remote, self.shelf, commit, &Silent, index.length).fetch(index)?;
            self.shelf.link(commit, &index.name, &index.etag)?;
        }
        let weights = choice::weights(self.listing.files.keys(), &self.shelf.snapshot(commit)).map_err(|failure| {
            Failure { message: format!("`{}` on the Hub: {}", self.id, failure.message), ..failure }
                .suggest("Name a repository, or a revision, with complete weights (safetensors or pytorch_model*.bin)")
        })?;
        let files = weights.files.iter().map(|name| self.file(name)).collect::<Result<Vec<_>, _>>()?;
        Ok((files, choice::have_headers(&weights)))
    }

    pub fn download(&self, files: &[File]) -> Result<(), Failure> {
        let commit = self.listing.commit.as_str();
        let total = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.length));
        let present: u64 = files.iter().map(|file| self.shelf.present(&file.etag).min(file.length)).sum();
        self.require_room(total - present)?;
        if let Some(file) = files.iter().find(|file| !file.etag.verifies()) {
            let warning = format!("The server tells no checksum of {}: only the length can be checked", file.name);
            self.observer.event(Event::Warning(warning));
        }
        if present < total {
            let here = (present > 0).then(|| format!(", {} of them are here already", number::bytes(present)));
            self.observer.event(Event::Step(format!(
                "Downloading {} (commit {}): {} files, {}{}",
                self.id,
                &commit[..commit.len().min(12)],
                files.len(),
                number::bytes(total),
                here.unwrap_or_default()
            )));
        } else {
            self.observer.event(Event::Detail(format!("{} is complete in the cache", self.id)));
        }
        let told: &dyn Observer = if present < total { self.observer } else { &Silent };
        let mut downloads = Downloads::new(self.remote, self.shelf, commit, told, total);
        for file in files {
            downloads.fetch(file)?;
            self.shelf.link(commit, &file.name, &file.etag)?;
        }
        told.event(Event::Finished);
        Ok(())
    }

    fn require_room(&self, bytes: u64) -> Result<(), Failure> {
        require_room(self.id, bytes, self.shelf.room())
    }
}

fn require_room(id: &HubId, bytes: u64, room: Option<u64>) -> Result<(), Failure> {
    match room {
        Some(room) if room < bytes => Err(Failure::new(
            Class::General,
            format!("The download of `{id}` needs {bytes} bytes more, and the disk of the cache has {room}"),
        )
        .suggest("Make room, or set LLM_QUANTIZE_CACHE to a folder on another disk")),
        _ => Ok(()),
    }
}

/// Where a file of a snapshot lies if its content is complete.
pub(super) fn complete(shelf: &Shelf, etag: &Etag, length: u64) -> Option<PathBuf> {
    let blob = shelf.blob(etag);
    let whole = |path: &Path| std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() == length);
    whole(&blob).then_some(blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_required_to_the_byte_where_it_is_known() {
        let id = HubId::parse("a/b").unwrap();
        require_room(&id, 10, Some(10)).unwrap();
        require_room(&id, u64::MAX, None).unwrap();
        let refused = require_room(&id, 11, Some(10)).unwrap_err();
        assert!(refused.message.contains("11 bytes") && refused.message.ends_with("has 10"), "{refused}");
    }
}
