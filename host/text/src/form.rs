//! Which kind of file a text file is: its extension says, and where it does not, its first bytes.

use crate::TextError;

/// The kinds of files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// UTF-8 text: the whole file is one document.
    Plain,
    /// One JSON value per line.
    Jsonl,
    /// One JSON array of documents, or an object with such an array under `data`.
    Json,
    /// A Parquet file with a column of documents.
    Parquet,
}

impl Form {
    /// The form of a file by its name and its first bytes (as many as at hand; a few KiB do).
    ///
    /// The extension decides where it is known. `.json` files that hold one object per line, which is common, are
    /// JSONL. Without a known extension a file is Parquet by its magic number, JSONL if its first line is a JSON object,
    /// and plain text otherwise.
    ///
    /// # Errors
    /// Compressed files and UTF-16 are refused by name.
    pub fn recognize(file: &str, head: &[u8]) -> Result<Form, TextError> {
        if let Some(kind) = packed(head) {
            return Err(TextError::Compressed { file: file.to_owned(), kind });
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(TextError::Utf16 { file: file.to_owned() });
        }
        let extension = file.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
        Ok(match extension.as_str() {
            "parquet" | "pq" => Form::Parquet,
            "jsonl" | "ndjson" => Form::Jsonl,
            "json" if object_per_line(head) => Form::Jsonl,
            "json" => Form::Json,
            "txt" | "text" | "md" | "raw" => Form::Plain,
            _ if head.starts_with(b"PAR1") => Form::Parquet,
            _ if first_line_is_object(head) => Form::Jsonl,
            _ => Form::Plain,
        })
    }
}

/// The name of a compression that the bytes begin with.
fn packed(head: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 5] = [
        (&[0x1f, 0x8b], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (b"PK\x03\x04", "zip"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
        (b"BZh", "bzip2"),
    ];
    MAGICS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}

/// The lines that are not blank; the last one may be cut.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn is_object(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok()
}

/// Whether the first line is a complete object and another value follows, as a single JSON value cannot.
fn object_per_line(head: &[u8]) -> bool {
    let mut lines = lines(head);
    let first = lines.next();
    first.is_some_and(is_object) && lines.next().is_some()
}

fn first_line_is_object(head: &[u8]) -> bool {
    lines(head).next().is_some_and(is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_first_then_content() {
        let form = |name: &str, head: &[u8]| Form::recognize(name, head).unwrap();
        assert_eq!(form("a.txt", b"{\"text\": 1}\n"), Form::Plain);
        assert_eq!(form("a.JSONL", b"whatever"), Form::Jsonl);
        assert_eq!(form("a.json", b"[\"x\"]"), Form::Json);
        assert_eq!(form("a.json", b"{\"data\": []}\n"), Form::Json);
        assert_eq!(form("a.json", b"{\n \"data\": []}\n"), Form::Json);
        assert_eq!(form("a.json", b"{\"text\": \"x\"}\n\n{\"te"), Form::Jsonl);
        assert_eq!(form("a.parquet", b""), Form::Parquet);
        assert_eq!(form("a", b"PAR1"), Form::Parquet);
        assert_eq!(form("a", b"\xef\xbb\xbf{\"text\": \"x\"}\n"), Form::Jsonl);
        assert_eq!(form("wiki.test.tokens", b" = Title = \n"), Form::Plain);
        assert_eq!(form("", b""), Form::Plain);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = Form::recognize("a.txt.gz", &[0x1f, 0x8b, 8]).unwrap_err();
        assert!(error.to_string().contains("gzip"), "{error}");
        let error = Form::recognize("a.txt", &[0xff, 0xfe, b'a', 0]).unwrap_err();
        assert!(matches!(error, TextError::Utf16 { .. }));
    }
}
