//! What is asked of the Hub: `org/name[@revision]`.

use std::fmt;

/// The branch that is meant where none is named.
const MAIN: &str = "main";

/// What a repository holds. Models and data sets have names of their own, and may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl Holding {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Holding::Model => "model",
            Holding::Dataset => "data set",
        }
    }
}

/// A repository at a revision. Both parts are safe as parts of a path and of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    /// What it holds.
    pub holding: Holding,
    /// `org/name`.
    pub repository: String,
    /// Branch, tag or commit.
    pub revision: String,
}

impl HubId {
    /// Reads `org/name[@revision]`; `None` for everything else, paths above all.
    pub fn parse(typed: &str) -> Option<HubId> {
        let (repository, revision) = typed.split_once('@').unwrap_or((typed, MAIN));
        let (owner, name) = repository.split_once('/')?;
        // A revision may have slashes (`refs/pr/1`), and becomes a path below `refs`.
        let valid = is_name(owner) && is_name(name) && revision.len() <= 250 && revision.split('/').all(is_name);
        let holding = Holding::Model;
        valid.then(|| HubId { holding, repository: repository.to_owned(), revision: revision.to_owned() })
    }

    /// The same name among the data sets.
    pub fn of_dataset(self) -> HubId {
        HubId { holding: Holding::Dataset, ..self }
    }

    /// Whether the revision is a commit, which never moves.
    pub fn is_commit(&self) -> bool {
        self.revision.len() == 40 && is_commit(&self.revision)
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if self.revision != MAIN { write!(f, "@{}", self.revision) } else { Ok(()) }
    }
}

/// Whether a server's word is the hash of a commit, and so fit to name a folder.
pub fn is_commit(word: &str) -> bool {
    (7..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_name(part: &str) -> bool {
    // The Hub itself allows no `--` and no `..` in names; `--` would also be ambiguous in the cache's folder names.
    (1..=96).contains(&part.len())
        && !part.starts_with(['.', '-'])
        && !part.ends_with('.')
        && !part.contains("..")
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        let id = HubId::parse("meta-llama/Llama-2-7b-hf").unwrap();
        assert_eq!((id.repository.as_str(), id.revision.as_str()), ("meta-llama/Llama-2-7b-hf", "main"));
        let id = HubId::parse("a/b.c_d@refs/pr/1").unwrap();
        assert_eq!((id.to_string().as_str(), id.revision.as_str()), ("a/b.c_d@refs/pr/1", "refs/pr/1"));
        assert!(HubId::parse(&format!("a/b@{}", "0a".repeat(20))).unwrap().is_commit());
        assert!(!id.is_commit());
        for path in [
            "model",
            "./model",
            "../m",
            "/a/b",
            "a/b/c",
            "a/",
            "~/m",
            "a b/c",
            "a/..",
            "a/b@",
            "a/b@..",
            "a/b@/x",
            "a/b@x/../y",
            "a/b@x//y",
            "a\\b/c",
            "a/b@x\\y",
            "-a/b",
            "a/b@-x",
            "",
        ] {
            assert_eq!(HubId::parse(path), None, "{path}");
        }
    }
}
