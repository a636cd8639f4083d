//! JSONL: one document per line, read line by line under a cap.

use std::io::{BufRead, Read};

use crate::record::Record;
use crate::{Place, TextError};

/// The documents of a JSONL file. Blank lines are passed over.
pub struct JsonlRecords<R> {
    reader: R,
    file: String,
    field: Option<String>,
    limit: usize,
    line: u64,
}

impl<R: BufRead> JsonlRecords<R> {
    /// Documents of `reader`, each line at most `limit` bytes long.
    pub fn new(reader: R, file: &str, field: Option<&str>, limit: usize) -> JsonlRecords<R> {
        JsonlRecords { reader, file: file.to_owned(), field: field.map(str::to_owned), limit, line: 0 }
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// Lines that are too long, no JSON, or hold no document, with the line's number.
    pub fn next_record(&mut self) -> Result<Option<Record>, TextError> {
        loop {
            self.line += 1;
            let mut line = Vec::new();
            let mut limited = (&mut self.reader).take(self.limit as u64 + 1);
            let read = limited.read_until(b'\n', &mut line);
            read.map_err(|source| TextError::Io { file: self.file.clone(), source })?;
            if line.is_empty() {
                return Ok(None);
            }
            let place = Place { file: self.file.clone(), row: self.line, unit: "line" };
            if line.len() > self.limit {
                return Err(TextError::DocumentTooLong { place, limit: self.limit });
            }
            let mut text = line.trim_ascii();
            if self.line == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii();
            }
            if text.is_empty() {
                continue;
            }
            let value = serde_json::from_slice(text).map_err(|error| TextError::Json {
                file: place.to_string(),
                message: error.to_string().replace("line 1 ", ""),
            })?;
            return Record::from_json(value, self.field.as_deref(), place).map(Some);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Content;
    use proptest::prelude::*;

    fn all(bytes: &[u8], limit: usize) -> Result<Vec<Content>, TextError> {
        let mut reader = JsonlRecords::new(bytes, "a.jsonl", None, limit);
        let mut found = Vec::new();
        while let Some(record) = reader.next_record()? {
            found.push(record.content);
        }
        Ok(found)
    }

    #[test]
    fn lines_blank_lines_and_a_mark() {
        let found = all(b"\xef\xbb\xbf{\"text\": \"a\"}\r\n\n  \n\"b\"", 100).unwrap();
        assert_eq!(found, [Content::Text("a".into()), Content::Text("b".into())]);
    }

    #[test]
    fn errors_name_the_line() {
        let error = all(b"\"a\"\n{\"text\": }\n", 100).unwrap_err().to_string();
        assert!(error.contains("line 2 of a.jsonl") && error.contains("column 10"), "{error}");
        let error = all(b"\"a\"\n\"aaaaaaaaaaaaaaaaaaaaaaaaaa\"", 20).unwrap_err();
        assert_eq!(error.to_string(), "line 2 of a.jsonl is longer than 20 bytes");
        // Nesting without end is an error, not a full stack.
        assert!(matches!(all("[".repeat(1 << 20).as_bytes(), 1 << 21), Err(TextError::Json { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_give_documents_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&bytes, 50);
        }

        #[test]
        fn any_texts_come_back(texts in proptest::collection::vec(".*", 0..20)) {
            let lines: String = texts.iter().map(|t| serde_json::json!({"text": t}).to_string() + "\n").collect();
            let found = all(lines.as_bytes(), 1 << 20).unwrap();
            prop_assert_eq!(found, texts.into_iter().map(Content::Text).collect::<Vec<_>>());
        }
    }
}
