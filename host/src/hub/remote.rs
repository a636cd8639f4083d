//! The Hub's routes: the list of a revision, the facts of a file, the bytes of a file.

use super::checksum::Etag;
use super::id::{Holding, HubId};
use super::listing::{Known, Listing};
use super::refusal::refusal;
use super::retry::{Patience, Trouble};
use super::settings::Settings;
use super::web::{Answer, Ask, Web};
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};

/// Longest list accepted, in bytes.
const MAX_LISTING: usize = 64 << 20;

/// One repository on a server.
pub struct Remote<'a> {
    /// What is asked of it.
    pub id: &'a HubId,
    /// How long is waited for it.
    pub settings: &'a Settings,
    cancel: &'a Cancel,
    web: Web,
}

/// A file that can be fetched and checked.
#[derive(Debug, Clone)]
pub struct File {
    /// Name in the repository, safe as a path.
    pub name: String,
    /// Length in bytes.
    pub length: u64,
    /// Name of its content.
    pub etag: Etag,
}

impl<'a> Remote<'a> {
    /// The repository, nothing asked yet.
    pub fn new(id: &'a HubId, settings: &'a Settings, cancel: &'a Cancel) -> Remote<'a> {
        Remote { id, settings, cancel, web: Web::new(settings, cancel) }
    }

    /// Fresh patience for one undertaking.
    pub fn patience(&self) -> Patience<'a> {
        Patience::new(self.settings, self.cancel)
    }

    /// Whether the user stopped it.
    pub fn cancelled(&self) -> bool {
        self.cancel.requested()
    }

    /// The files of the revision.
    pub fn listing(&self) -> Result<Listing, Failure> {
        let list = match self.id.holding {
            Holding::Model => "models",
            Holding::Dataset => "datasets",
        };
        let path = format!("/api/{list}/{}/revision/{}?blobs=true", self.id.repository, escaped(&self.id.revision));
        let json = self.insist(&format!("the file list of {}", self.id), || {
            let answer = self.web.ask(&path, Ask::All)?;
            match answer.status {
                200 => answer.first(MAX_LISTING),
                _ => Err(refusal(self.id, None, &answer, self.web.has_token())),
            }
        })?;
        Listing::parse(self.id, &json)
    }

    /// Length and content name of a listed file; asked for where the list did not tell.
    pub fn file(&self, commit: &str, name: &str, known: &Known) -> Result<File, Failure> {
        let known = match known {
            Known { length: Some(_), etag: Some(_) } => known.clone(),
            _ => self.insist(name, || {
                let answer = self.web.ask(&self.path(commit, name), Ask::Head)?;
                let length = answer.own("x-linked-size").or_else(|| answer.own("content-length"));
                match answer.status {
                    200 | 301 | 302 | 303 | 307 | 308 => {
                        Ok(Known { length: length.and_then(|length| length.parse().ok()), etag: etag(&answer) })
                    }
                    _ => Err(refusal(self.id, Some(name), &answer, self.web.has_token())),
                }
            })?,
        };
        match known {
            Known { length: Some(length), etag: Some(etag) } => Ok(File { name: name.to_owned(), length, etag }),
            _ => Err(Failure::new(
                Class::General,
                format!("The server tells neither the length nor the checksum of {name} in `{}`", self.id),
            )
            .suggest("Check HF_ENDPOINT, if it is set: the server there does not answer like the Hub")),
        }
    }

    /// Asks for a file's bytes: the head of an answer with status 200, 206 or 416.
    pub fn open(&self, commit: &str, file: &File, ask: Ask) -> Result<Answer, Trouble> {
        let answer = self.web.ask(&self.path(commit, &file.name), ask)?;
        if !matches!(answer.status, 200 | 206 | 416) {
            return Err(refusal(self.id, Some(&file.name), &answer, self.web.has_token()));
        }
        let other = etag(&answer).filter(|etag| etag.verifies() && file.etag.verifies() && *etag != file.etag);
        match other {
            Some(other) => Err(Failure::new(
                Class::General,
                format!(
                    "{}: the Hub listed content {} and now offers {}",
                    file.name,
                    file.etag.as_str(),
                    other.as_str()
                ),
            )
            .suggest("Try again; if it stays, the repository or the server in HF_ENDPOINT is inconsistent")
            .into()),
            None => Ok(answer),
        }
    }

    fn path(&self, commit: &str, name: &str) -> String {
        let folder = match self.id.holding {
            Holding::Model => "",
            Holding::Dataset => "datasets/",
        };
        format!("/{folder}{}/resolve/{commit}/{name}", self.id.repository)
    }

    /// Tries until it works or patience ends.
    pub fn insist<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T, Failure> {
        let mut patience = self.patience();
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(trouble) => patience.bear(what, trouble)?,
            }
        }
    }
}

fn etag(answer: &Answer) -> Option<Etag> {
    answer.own("x-linked-etag").or_else(|| answer.own("etag")).and_then(Etag::parse)
}

/// Slashes in a revision would be read as the next part of the route.
fn escaped(revision: &str) -> String {
    revision.replace('/', "%2F")
}
