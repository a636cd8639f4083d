//! Versioned JSON: `"v"` first, unknown keys ignored, unknown majors refused, size capped before parsing.

use serde::{Serialize, de::DeserializeOwned};

/// The only document version of the 1.x interface. Additive changes do not raise it.
pub const DOCUMENT_VERSION: u32 = 1;

/// Cap on one document. The largest real one (a plan for 100,000 expert tensors) measures about 40 MB.
pub const MAX_DOCUMENT_BYTES: usize = 512 << 20;

/// Why a document was refused.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The text is longer than `MAX_DOCUMENT_BYTES`.
    #[error("the {what} document has {bytes} bytes; at most {MAX_DOCUMENT_BYTES} are accepted")]
    TooLarge {
        /// Which document.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The text is not the JSON that the schema asks for.
    #[error("the {what} document does not fit its schema: {source}")]
    Schema {
        /// Which document.
        what: &'static str,
        /// Where and how it fails.
        #[source]
        source: serde_json::Error,
    },
    /// A document version that this side does not speak.
    #[error("the {what} document has version {found}, this side speaks version {DOCUMENT_VERSION}")]
    Version {
        /// Which document.
        what: &'static str,
        /// The version in the text.
        found: u64,
    },
}

/// Writes `value` as one line of JSON with `"v"` in front.
///
/// The types of this module always serialise to objects, so the version key has a place.
pub fn encode<T: Serialize>(value: &T) -> String {
    let body = serde_json::to_value(value).unwrap_or(serde_json::Value::Null);
    let mut object = serde_json::Map::new();
    object.insert("v".into(), DOCUMENT_VERSION.into());
    if let serde_json::Value::Object(fields) = body {
        object.extend(fields);
    }
    serde_json::Value::Object(object).to_string()
}

/// Reads a document written by [`encode`], checking size, version and schema in that order.
pub fn decode<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, WireError> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u64,
    }
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(WireError::TooLarge { what, bytes: text.len() });
    }
    let Version { v } = serde_json::from_str(text).map_err(|source| WireError::Schema { what, source })?;
    if v != u64::from(DOCUMENT_VERSION) {
        return Err(WireError::Version { what, found: v });
    }
    serde_json::from_str(text).map_err(|source| WireError::Schema { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, serde::Deserialize, PartialEq)]
    struct Doc {
        name: String,
        #[serde(default)]
        later: u32,
    }

    #[test]
    fn round_trips_and_ignores_unknown_keys() {
        let text = encode(&Doc { name: "a".into(), later: 7 });
        assert_eq!(text, r#"{"v":1,"name":"a","later":7}"#);
        assert_eq!(decode::<Doc>("test", &text).unwrap(), Doc { name: "a".into(), later: 7 });
        let newer = r#"{"v":1,"name":"b","invented_in_1_9":[1,2]}"#;
        assert_eq!(decode::<Doc>("test", newer).unwrap(), Doc { name: "b".into(), later: 0 });
    }

    #[test]
    fn refuses_other_versions_and_shapes_with_the_reason() {
        let other = decode::<Doc>("test", r#"{"v":2,"name":"a"}"#).unwrap_err().to_string();
        assert!(other.contains("version 2"), "{other}");
        let missing = decode::<Doc>("test", r#"{"v":1}"#).unwrap_err();
        assert!(matches!(missing, WireError::Schema { .. }));
        assert!(matches!(decode::<Doc>("test", "[]").unwrap_err(), WireError::Schema { .. }));
    }
}
