//! Writing a header.

use super::Dtype;
use serde_json::{Map, Value, json};

/// The header of a file whose tensors follow each other in this order: name, type, shape, bytes. Its length is a multiple
/// of 8, so that what is aligned in the list is aligned in the file.
pub fn header<'a>(tensors: impl Iterator<Item = (&'a str, Dtype, &'a [u64], u64)>) -> Vec<u8> {
    let mut fields = Map::new();
    fields.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut at = 0u64;
    for (name, dtype, shape, bytes) in tensors {
        let end = at + bytes;
        fields.insert(name.into(), json!({ "dtype": dtype.word(), "shape": shape, "data_offsets": [at, end] }));
        at = end;
    }
    let mut text = Value::Object(fields).to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let tensors: [(&str, Dtype, &[u64], u64); 2] =
            [("b.qweight", Dtype::I32, &[2, 3], 24), ("a \"x\"", Dtype::Bf16, &[3], 6)];
        let mut file = header(tensors.into_iter());
        assert_eq!(file.len() % 8, 0);
        let start = file.len();
        file.resize(start + 30, 0);
        let found = parse(&file).unwrap();
        let found: Vec<_> =
            found.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.as_slice(), t.start, t.end)).collect();
        assert_eq!(
            found,
            [
                ("b.qweight", Dtype::I32, &[2, 3][..], start, start + 24),
                ("a \"x\"", Dtype::Bf16, &[3][..], start + 24, start + 30)
            ]
        );
        assert!(file[8..].starts_with(br#"{"__metadata__":{"format":"pt"},"b.qweight":{"dtype":"I32","shape":[2,3]"#));
    }
}
