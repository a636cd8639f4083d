//! JSON: one array of documents, parsed as a whole under a cap.

use std::io::Read;

use serde_json::Value;

use crate::record::{Record, kind};
use crate::{Place, TextError};

/// The documents of a JSON file.
pub struct JsonRecords {
    values: std::vec::IntoIter<Value>,
    file: String,
    field: Option<String>,
    row: u64,
}

impl JsonRecords {
    /// Documents of `reader`, which gives at most `limit` bytes.
    ///
    /// # Errors
    /// Files that are too long, no JSON, or no list of documents.
    pub fn new(reader: impl Read, file: &str, field: Option<&str>, limit: usize) -> Result<JsonRecords, TextError> {
        let mut bytes = Vec::new();
        let read = reader.take(limit as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|source| TextError::Io { file: file.to_owned(), source })?;
        if bytes.len() > limit {
            return Err(TextError::JsonTooLong { file: file.to_owned(), bytes: bytes.len() as u64, limit });
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let value = serde_json::from_slice(text)
            .map_err(|error| TextError::Json { file: file.to_owned(), message: error.to_string() })?;
        let values = match value {
            Value::Array(values) => values,
            Value::Object(mut object) => match object.shift_remove("data") {
                Some(Value::Array(values)) => values,
                Some(other) => return Err(TextError::NoList { file: file.to_owned(), found: kind(&other) }),
                // A file with a single document is a list of one.
                None => vec![Value::Object(object)],
            },
            other => return Err(TextError::NoList { file: file.to_owned(), found: kind(&other) }),
        };
        Ok(JsonRecords { values: values.into_iter(), file: file.to_owned(), field: field.map(str::to_owned), row: 0 })
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// Elements that hold no document, with their number.
    pub fn next_record(&mut self) -> Result<Option<Record>, TextError> {
        self.row += 1;
        let place = Place { file: self.file.clone(), row: self.row, unit: "element" };
        self.values.next().map(|value| Record::from_json(value, self.field.as_deref(), place)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Content;
    use proptest::prelude::*;

    fn all(bytes: &[u8], limit: usize) -> Result<Vec<Content>, TextError> {
        let mut reader = JsonRecords::new(bytes, "a.json", None, limit)?;
        let mut found = Vec::new();
        while let Some(record) = reader.next_record()? {
            found.push(record.content);
        }
        Ok(found)
    }

    #[test]
    fn the_shapes_of_lists() {
        let expected = [Content::Text("a".into()), Content::Text("b".into())];
        assert_eq!(all(br#"["a", {"text": "b"}]"#, 100).unwrap(), expected);
        assert_eq!(all(b"\xef\xbb\xbf{\"version\": 1, \"data\": [\"a\", \"b\"]}", 100).unwrap(), expected);
        assert_eq!(all(br#"{"text": "a"}"#, 100).unwrap(), expected[..1]);
        assert!(all(b"[]", 100).unwrap().is_empty());
    }

    #[test]
    fn errors_name_the_element_and_the_cap() {
        let error = all(br#"["a", 7]"#, 100).unwrap_err().to_string();
        assert!(error.contains("element 2 of a.json"), "{error}");
        assert!(matches!(all(b"[\"aaaaaaaaaaaaaaa\"]", 10), Err(TextError::JsonTooLong { bytes: 11, limit: 10, .. })));
        assert!(matches!(all(b"7", 10), Err(TextError::NoList { found: "a number", .. })));
        assert!(matches!(all(b"{\"data\": 1}", 20), Err(TextError::NoList { .. })));
        assert!(matches!(all(b"[1", 20), Err(TextError::Json { .. })));
        assert!(matches!(all("[".repeat(1 << 20).as_bytes(), 1 << 21), Err(TextError::Json { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_give_documents_or_an_error(text in "[\\[\\]{}\"a:,1 ]{0,60}") {
            let _ = all(text.as_bytes(), 50);
        }
    }
}
