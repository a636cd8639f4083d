//! Reading a header from hostile bytes: every number is checked before it is used.

use super::Dtype;
use llmq_plugin_api::sdk::{Error, Kind};
use serde_json::Value;

/// Cap on the header. The largest real ones (100,000 expert tensors) measure about 15 MB.
const MAX_HEADER_BYTES: u64 = 100 << 20;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its row-major shape.
    pub shape: Vec<u64>,
    /// First byte in the file.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(Kind::CorruptInput, message).hint("the file is damaged; fetch or write it again")
}

/// Parses the header of a whole file. Tensors come in file order, cover the file behind the header, and do not overlap.
pub fn parse(data: &[u8]) -> Result<Vec<Stored>, Error> {
    let Some(length) = data.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return Err(corrupt(format!("the file has {} bytes; a safetensors file has at least 8", data.len())));
    };
    let text = (length <= MAX_HEADER_BYTES).then(|| data.get(8..8 + length as usize)).flatten();
    let Some(text) = text else {
        return Err(corrupt(format!("the header claims {length} bytes; the file has {}", data.len())));
    };
    let header: Value = serde_json::from_slice(text).map_err(|e| corrupt(format!("the header is no JSON: {e}")))?;
    let Value::Object(fields) = header else { return Err(corrupt("the header is not a JSON object")) };
    let base = 8 + length as usize;
    let entries = fields.iter().filter(|(name, _)| *name != "__metadata__");
    let mut tensors = entries.map(|(name, v)| stored(name, v, base, data.len())).collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by_key(|tensor| (tensor.start, tensor.end));
    let mut end = base;
    for tensor in &tensors {
        if tensor.start != end {
            return Err(corrupt(format!("tensor `{}` starts at byte {}, expected {end}", tensor.name, tensor.start)));
        }
        end = tensor.end;
    }
    if end != data.len() {
        return Err(corrupt(format!("the tensors end at byte {end}, the file has {}", data.len())));
    }
    Ok(tensors)
}

fn stored(name: &str, value: &Value, base: usize, length: usize) -> Result<Stored, Error> {
    let fault = |what: &str| corrupt(format!("tensor `{name}`: {what}")).subject(name);
    let word = value.get("dtype").and_then(Value::as_str).unwrap_or_default();
    let dtype = Dtype::of(word).ok_or_else(|| fault(&format!("its dtype is `{word}`, which is not known")))?;
    let numbers = |key: &str| -> Option<Vec<u64>> { value.get(key)?.as_array()?.iter().map(Value::as_u64).collect() };
    let shape = numbers("shape").filter(|shape| shape.len() <= MAX_DIMENSIONS);
    let shape = shape.ok_or_else(|| fault(&format!("its shape is not a list of at most {MAX_DIMENSIONS} numbers")))?;
    let Some([from, to]) = numbers("data_offsets").and_then(|offsets| <[u64; 2]>::try_from(offsets).ok()) else {
        return Err(fault("its data_offsets are not two numbers"));
    };
    let bytes = shape.iter().try_fold(dtype.bytes(), |bytes: u64, dimension| bytes.checked_mul(*dimension));
    if bytes.is_none() || bytes != to.checked_sub(from) {
        return Err(fault(&format!("its shape {shape:?} does not fill bytes {from}..{to}")));
    }
    let place = |offset: u64| usize::try_from(offset).ok().and_then(|o| o.checked_add(base)).filter(|o| *o <= length);
    let (Some(start), Some(end)) = (place(from), place(to)) else {
        return Err(fault(&format!("its bytes {from}..{to} lie outside of the file")));
    };
    Ok(Stored { name: name.to_owned(), dtype, shape, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn a_sound_header_is_read_in_file_order() {
        let text = r#"{"b":{"dtype":"I8","shape":[2,3],"data_offsets":[4,10]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"e":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}"#;
        let names: Vec<String> = parse(&file(text, 10)).unwrap().into_iter().map(|tensor| tensor.name).collect();
        assert_eq!(names, ["a", "e", "b"]);
    }

    #[test]
    fn lies_are_refused() {
        for (text, data) in [
            ("[]", 0),
            ("{", 0),
            (r#"{"a":{}}"#, 0),
            (r#"{"a":{"dtype":"I4","shape":[1],"data_offsets":[0,2]}}"#, 2),
            (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
            (r#"{"a":{"dtype":"I32","shape":[18446744073709551615,2],"data_offsets":[0,1]}}"#, 1),
            (r#"{"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}}"#, 1),
            (r#"{"a":{"dtype":"I8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, 1),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}}"#, 1),
        ] {
            assert_eq!(parse(&file(text, data)).unwrap_err().kind, Kind::CorruptInput, "{text}");
        }
        assert!(parse(&u64::MAX.to_le_bytes()).is_err());
        assert!(parse(&[1, 2, 3]).is_err());
    }
}
