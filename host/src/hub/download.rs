//! One file from the server into the cache: continued where it stopped, checked to the last bit, then named.

use super::cache::{Shelf, storage};
use super::checksum::Sum;
use super::remote::{File as Wanted, Remote};
use super::retry::{Trouble, stopped};
use super::web::{Answer, Ask};
use crate::disk;
use crate::event::{Event, Observer};
use crate::failure::{Class, Failure};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Downloads files of one repository, and tells how far all of them are.
pub struct Downloads<'a> {
    remote: &'a Remote<'a>,
    shelf: &'a Shelf,
    commit: &'a str,
    observer: &'a dyn Observer,
    /// Bytes of files that are complete, and of all files.
    done: u64,
    total: u64,
}

/// A content that grows in its partial file, summed up as far as it goes.
struct Growing<'a> {
    path: &'a Path,
    wanted: &'a Wanted,
    file: File,
    sum: Sum,
    length: u64,
}

impl<'a> Downloads<'a> {
    /// Downloads of `total` bytes.
    pub fn new(
        remote: &'a Remote<'a>,
        shelf: &'a Shelf,
        commit: &'a str,
        observer: &'a dyn Observer,
        total: u64,
    ) -> Downloads<'a> {
        Downloads { remote, shelf, commit, observer, done: 0, total }
    }

    /// Makes a file's content complete in the cache.
    pub fn fetch(&mut self, wanted: &Wanted) -> Result<(), Failure> {
        let blob = self.shelf.blob(&wanted.etag);
        let complete = || std::fs::metadata(&blob).is_ok_and(|m| m.is_file() && m.len() == wanted.length);
        if !complete() {
            let _lock = self.wait_for_lock(wanted)?;
            // The other process may have done it.
            if !complete() {
                self.download(wanted, &blob)?;
            }
        }
        self.done += wanted.length;
        self.tell(0);
        Ok(())
    }

    fn wait_for_lock(&self, wanted: &Wanted) -> Result<File, Failure> {
        let mut told = false;
        loop {
            if let Some(lock) = self.shelf.lock(&wanted.etag)? {
                return Ok(lock);
            }
            if !told {
                self.observer.event(Event::Step(format!("Waiting for another download of {}", wanted.name)));
                told = true;
            }
            if self.remote.cancelled() {
                return Err(stopped());
            }
            std::thread::sleep(LOCK_PAUSE);
        }
    }

    fn download(&self, wanted: &Wanted, blob: &Path) -> Result<(), Failure> {
        let partial = self.shelf.partial(&wanted.etag);
        let mut growing = self.take_up(&partial, wanted)?;
        let mut from_earlier = growing.length > 0;
        loop {
            self.complete(&mut growing)?;
            let Err(found) = growing.sum.clone().check(&wanted.etag) else { break };
            growing.clear()?;
            if !from_earlier {
                return Err(Failure::new(
                    Class::General,
                    format!(
                        "{} arrived with wrong bytes: its checksum is {found} and should be {}. It was not kept",
                        wanted.name,
                        wanted.etag.as_str()
                    ),
                )
                .suggest("Try again; if it stays, a proxy or the server in HF_ENDPOINT changes what it passes on"));
            }
            self.observer.event(Event::Warning(format!(
                "What an earlier download left of {} holds wrong bytes; it starts anew",
                wanted.name
            )));
            from_earlier = false;
        }
        let io = |action, e: std::io::Error| storage(action, blob, &e);
        growing.file.sync_all().map_err(|e| io("write", e))?;
        drop(growing);
        std::fs::rename(&partial, blob).map_err(|e| io("rename", e))?;
        blob.parent().map_or(Ok(()), disk::sync_directory).map_err(|e| io("write", e))
    }

    /// Opens what an earlier run left, and sums it up.
    fn take_up<'b>(&self, path: &'b Path, wanted: &'b Wanted) -> Result<Growing<'b>, Failure> {
        let io = |e: std::io::Error| storage("open", path, &e);
        // A link at this place would write somewhere else.
        if std::fs::symlink_metadata(path).is_ok_and(|m| !m.is_file()) {
            return Err(Failure::new(Class::General, format!("`{}` in the cache is no plain file", path.display()))
                .suggest("Remove it and try again"));
        }
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let sum = Sum::new(&wanted.etag, wanted.length);
        let mut growing = Growing { path, wanted, file: open.map_err(io)?, sum, length: 0 };
        let mut piece = vec![0; 1 << 20];
        loop {
            if self.remote.cancelled() {
                return Err(stopped());
            }
            let count = growing.file.read(&mut piece).map_err(io)?;
            if count == 0 {
                break;
            }
            growing.sum.update(&piece[..count]);
            growing.length += count as u64;
            if growing.length > wanted.length {
                growing.clear()?;
                break;
            }
            self.tell(growing.length);
        }
        Ok(growing)
    }

    /// Fetches the rest, as often as it takes.
    fn complete(&self, growing: &mut Growing<'_>) -> Result<(), Failure> {
        let what = format!("downloading {}", growing.wanted.name);
        let mut patience = self.remote.patience();
        while growing.length < growing.wanted.length {
            let before = growing.length;
            if let Err(trouble) = self.attempt(growing) {
                if growing.length > before {
                    patience.renew();
                }
                patience.bear(&what, trouble)?;
            }
        }
        Ok(())
    }

    fn attempt(&self, growing: &mut Growing<'_>) -> Result<(), Trouble> {
        let ask = if growing.length == 0 { Ask::All } else { Ask::From(growing.length) };
        let mut answer = self.remote.open(self.commit, growing.wanted, ask)?;
        match answer.status {
            416 => {
                growing.clear()?;
                return Err(Trouble::passing("the server does not continue it (416)"));
            }
            206 if growing.length > 0 => growing.expect_range(&answer)?,
            // The whole file, although only the rest was asked for.
            _ => growing.clear()?,
        }
        growing.expect_length(&answer)?;
        while let Some(bytes) = answer.next()? {
            growing.grow(&bytes)?;
            self.tell(growing.length);
        }
        match growing.length == growing.wanted.length {
            true => Ok(()),
            false => Err(Trouble::passing(format!(
                "the server closed the connection after {} of {} bytes",
                growing.length, growing.wanted.length
            ))),
        }
    }

    fn tell(&self, of_this_file: u64) {
        self.observer.event(Event::Downloaded { bytes: self.done + of_this_file, total: self.total });
    }
}

impl Growing<'_> {
    fn clear(&mut self) -> Result<(), Failure> {
        let io = |e: std::io::Error| storage("write", self.path, &e);
        self.file.set_len(0).map_err(io)?;
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        (self.sum, self.length) = (Sum::new(&self.wanted.etag, self.wanted.length), 0);
        Ok(())
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let length = self.length + bytes.len() as u64;
        if length > self.wanted.length {
            self.clear()?;
            return Err(self.wrong_length(format!("at least {length} bytes arrived")));
        }
        self.file.write_all(bytes).map_err(|e| storage("write", self.path, &e))?;
        self.sum.update(bytes);
        self.length = length;
        Ok(())
    }

    fn expect_range(&self, answer: &Answer) -> Result<(), Failure> {
        let range = answer.last.get("content-range").and_then(|range| range.to_str().ok()).unwrap_or_default();
        let expected = format!("bytes {}-{}/{}", self.length, self.wanted.length - 1, self.wanted.length);
        match range.trim() == expected {
            true => Ok(()),
            false => Err(self.wrong_length(format!("the server sends the range `{}`", range.escape_debug()))),
        }
    }

    fn expect_length(&self, answer: &Answer) -> Result<(), Failure> {
        let length = answer.last.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match length {
            Some(length) if length != self.wanted.length - self.length => {
                Err(self.wrong_length(format!("the server sends {length} bytes from byte {} on", self.length)))
            }
            _ => Ok(()),
        }
    }

    fn wrong_length(&self, found: String) -> Failure {
        let (name, length) = (&self.wanted.name, self.wanted.length);
        Failure::new(Class::General, format!("{name} has {length} bytes in the Hub's list, but {found}"))
            .suggest("Try again; if it stays, a proxy or the server in HF_ENDPOINT changes what it passes on")
    }
}
