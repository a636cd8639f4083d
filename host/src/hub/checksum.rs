//! What a file's bytes must add up to, read from the name that the Hub gives its content.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The Hub's name for a content, fit to be a file name: the `blobs` of the cache are called so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// Reads an ETag header or a hash of the listing. `None` if it could not name a file.
    pub fn parse(text: &str) -> Option<Etag> {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        let valid =
            (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        valid.then(|| Etag(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is a hash of the content: SHA-256 of large files, SHA-1 of a git blob for small ones.
    pub fn verifies(&self) -> bool {
        [40, 64].contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

/// A running sum over a file's bytes, in the kind that its name has.
#[derive(Clone)]
pub enum Sum {
    /// A file in large-file storage: SHA-256 of its bytes.
    Sha256(Sha256),
    /// A file in git: SHA-1 of a git blob, whose head holds the length.
    GitBlob(Sha1),
    /// A server that names contents in its own way: the length is all there is to check.
    Unknown,
}

impl Sum {
    /// The empty sum for a file of a name and a length in bytes.
    pub fn new(etag: &Etag, length: u64) -> Sum {
        match (etag.verifies(), etag.0.len()) {
            (true, 64) => Sum::Sha256(Sha256::new()),
            (true, _) => Sum::GitBlob(Sha1::new_with_prefix(format!("blob {length}\0"))),
            (false, _) => Sum::Unknown,
        }
    }

    /// Takes bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Sha256(sum) => sum.update(bytes),
            Sum::GitBlob(sum) => sum.update(bytes),
            Sum::Unknown => {}
        }
    }

    /// Compares with the name. `Err` holds the sum in hexadecimal digits.
    pub fn check(self, etag: &Etag) -> Result<(), String> {
        let found = match self {
            Sum::Sha256(sum) => hexadecimal(&sum.finalize()),
            Sum::GitBlob(sum) => hexadecimal(&sum.finalize()),
            Sum::Unknown => return Ok(()),
        };
        if found.eq_ignore_ascii_case(&etag.0) { Ok(()) } else { Err(found) }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(etag: &str, content: &[u8]) -> Result<(), String> {
        let etag = Etag::parse(etag).unwrap();
        let mut sum = Sum::new(&etag, content.len() as u64);
        content.chunks(2).for_each(|part| sum.update(part));
        sum.check(&etag)
    }

    #[test]
    fn known_contents() {
        // `git hash-object` and `sha256sum` of the five bytes and one line end.
        check("\"ce013625030ba8dba906f756967f9e9ca394464a\"", b"hello\n").unwrap();
        check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", b"hello\n").unwrap();
        assert_eq!(
            check("W/\"ce013625030ba8dba906f756967f9e9ca394464b\"", b"hello\n").unwrap_err(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert!(check("own-name-7", b"anything").is_ok() && !Etag::parse("own-name-7").unwrap().verifies());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", "\"\"", "../x", "a/b", "a\\b", "x.incomplete", ".", "a b", &"a".repeat(129)] {
            assert_eq!(Etag::parse(bad), None, "{bad}");
        }
    }
}
