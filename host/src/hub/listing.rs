//! What a repository holds, from the Hub's list of it. The list is a stranger's text: every name is checked.

use super::checksum::Etag;
use super::id::{HubId, is_commit};
use crate::failure::{Class, Failure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most files accepted.
const MAX_FILES: usize = 100_000;

/// The files of one commit.
#[derive(Debug)]
pub struct Listing {
    /// The commit that the revision stands for.
    pub commit: String,
    /// Name with `/` between folders, and what is known of the file.
    pub files: BTreeMap<String, Known>,
}

/// What a list tells of a file. Servers other than the Hub leave things out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Length in bytes.
    pub length: Option<u64>,
    /// Name of its content.
    pub etag: Option<Etag>,
}

#[derive(Deserialize)]
struct Answer {
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Reads the server's JSON.
    pub fn parse(id: &HubId, json: &[u8]) -> Result<Listing, Failure> {
        let wrong = |problem: String| {
            Failure::new(Class::General, format!("The Hub's description of `{id}` cannot be used: {problem}"))
                .suggest("Check HF_ENDPOINT, if it is set: the server there does not answer like the Hub")
        };
        let answer: Answer = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        let commit = answer.sha.filter(|sha| is_commit(sha)).ok_or_else(|| wrong("it names no commit".to_owned()))?;
        if answer.siblings.len() > MAX_FILES {
            return Err(wrong(format!("it lists {} files; at most {MAX_FILES} are accepted", answer.siblings.len())));
        }
        let mut files = BTreeMap::new();
        for sibling in answer.siblings {
            if !stays_inside(&sibling.rfilename) {
                return Err(wrong(format!("it lists a file {:?}, which leads out of its folder", sibling.rfilename)));
            }
            let (sha256, length) = sibling.lfs.map_or((None, None), |lfs| (lfs.sha256, lfs.size));
            let known = Known {
                length: length.or(sibling.size),
                etag: sha256.or(sibling.blob).and_then(|etag| Etag::parse(&etag)).filter(Etag::verifies),
            };
            files.insert(sibling.rfilename, known);
        }
        Ok(Listing { commit, files })
    }
}

/// Whether a name can only lead to a file below the folder it is joined to, on any system.
fn stays_inside(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    !drive && !name.contains(['\\', '\0']) && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Listing, Failure> {
        Listing::parse(&HubId::parse("a/b").unwrap(), json.as_bytes())
    }

    #[test]
    fn lengths_and_hashes_come_from_the_large_file_entry_first() {
        let (git, large) = ("1".repeat(40), "2".repeat(64));
        let json = format!(
            r#"{{"sha":"{git}","siblings":[{{"rfilename":"config.json","size":5,"blobId":"{git}"}},{{"rfilename":"README.md"}},
            {{"rfilename":"m.safetensors","size":1,"blobId":"{git}","lfs":{{"sha256":"{large}","size":9,"pointerSize":1}}}}]}}"#
        );
        let listing = parse(&json).unwrap();
        let known = |length, etag: &str| Known { length: Some(length), etag: Etag::parse(etag) };
        assert_eq!(listing.files["config.json"], known(5, &git));
        assert_eq!(listing.files["m.safetensors"], known(9, &large));
        assert_eq!(listing.files["README.md"], Known::default());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../x", "a/../x", "/etc/passwd", "a//b", "./x", "C:x", "..\\\\x", "a\\\\b", "", "a/"] {
            let json = format!(r#"{{"sha":"0123456789","siblings":[{{"rfilename":"{name}"}}]}}"#);
            let refused = parse(&json).unwrap_err();
            assert!(refused.message.contains("leads out of its folder"), "{name}: {refused}");
        }
    }

    #[test]
    fn a_description_without_a_commit_is_none() {
        for json in ["", "[]", "{}", r#"{"sha":"../../x","siblings":[]}"#, r#"{"sha":"ABCDEF0123"}"#] {
            assert_eq!(parse(json).unwrap_err().class, Class::General, "{json}");
        }
    }
}
