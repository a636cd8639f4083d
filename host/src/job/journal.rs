//! The journal: one line per unit whose bytes are safely on disk.

use super::done::Fed;
use super::stop::Stop;
use super::storage::Storage;
use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::UnitReport;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest journal accepted, in bytes.
const MAX_JOURNAL: u64 = 256 << 20;

/// One finished unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Unit id.
    pub unit: String,
    /// Bytes of its slots.
    pub bytes: u64,
    /// XXH3-64 of its slots in the plan's order, hexadecimal.
    pub xxh3: String,
    /// What the backend said, for the final report of a resumed job.
    pub report: UnitReport,
    /// What it handed back, by tensor.
    #[serde(default)]
    pub fed: BTreeMap<u32, Fed>,
}

/// An open journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
}

impl Journal {
    /// Opens or creates a journal and reads its lines.
    ///
    /// A crash can tear the last line; it is cut off. A line in the middle can only be damaged by something else, so
    /// that is an error: the rest of the file deserves no trust then.
    pub fn open(path: &Path) -> Result<(Journal, Vec<Line>), Failure> {
        let broken = |problem: String| {
            let message = format!("the journal `{}` is not usable: {problem}", path.display());
            let folder = path.parent().unwrap_or(path).display();
            Failure::new(Class::Checkpoint, message).suggest(format!("Remove `{folder}` to start over."))
        };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(|e| broken(e.to_string()))?;
        let mut text = Vec::new();
        (&file).take(MAX_JOURNAL + 1).read_to_end(&mut text).map_err(|e| broken(e.to_string()))?;
        if text.len() as u64 > MAX_JOURNAL {
            return Err(broken(format!("it is longer than {MAX_JOURNAL} bytes")));
        }
        let (mut lines, mut end) = (Vec::new(), 0);
        let pieces: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for (index, piece) in pieces.iter().enumerate() {
            match serde_json::from_slice::<Line>(piece) {
                Ok(line) if piece.ends_with(b"\n") => {
                    lines.push(line);
                    end += piece.len() as u64;
                }
                Err(problem) if index + 1 < pieces.len() => {
                    return Err(broken(format!("line {}: {problem}", index + 1)));
                }
                _ => {}
            }
        }
        file.set_len(end).map_err(|e| broken(e.to_string()))?;
        Ok((Journal { path: path.to_path_buf(), file, end }, lines))
    }

    /// Adds a line and makes it durable. Call it only once the unit's own bytes are.
    pub fn append(&mut self, storage: &dyn Storage, line: &Line) -> Result<(), Stop> {
        let write = |journal: &mut Journal| -> io::Result<()> {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            storage.write_at(&journal.file, &text, journal.end)?;
            storage.sync(&journal.file)?;
            journal.end += text.len() as u64;
            Ok(())
        };
        write(self).map_err(|error| {
            let message = format!("cannot write the journal `{}`: {error}", self.path.display());
            let hint = "Choose another --checkpoint-dir, or go without with --no-checkpoints.";
            Stop::resumable(Failure::new(Class::Checkpoint, message).suggest(hint))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::storage::Disk;

    fn line(unit: &str) -> Line {
        Line { unit: unit.into(), bytes: 7, xxh3: "00".into(), report: UnitReport::default(), fed: BTreeMap::new() }
    }

    fn units(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|l| l.unit.as_str()).collect()
    }

    #[test]
    fn a_torn_last_line_is_cut_off_at_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        for unit in ["a", "b"] {
            journal.append(&Disk, &line(unit)).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, lines) = Journal::open(&path).unwrap();
            assert_eq!(units(&lines), ["a"], "cut at {cut}");
            journal.append(&Disk, &line("c")).unwrap();
            assert_eq!(units(&Journal::open(&path).unwrap().1), ["a", "c"]);
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let good = serde_json::to_string(&line("a")).unwrap();
        for bad in ["{}", "\u{0}\u{0}", "[1]", "{\"unit\":3}"] {
            std::fs::write(&path, format!("{good}\n{bad}\n{good}\n")).unwrap();
            let failure = Journal::open(&path).err().unwrap();
            assert_eq!(failure.class, Class::Checkpoint);
            assert!(failure.message.contains("line 2"), "{}", failure.message);
        }
        std::fs::write(&path, [0xff; 100]).unwrap();
        assert!(Journal::open(&path).unwrap().1.is_empty());
    }
}
