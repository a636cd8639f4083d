//! The header of one safetensors file: parsed, and checked until every offset can be trusted.

use super::ModelError;
use super::stored::{MAX_DIMENSIONS, MAX_NAME, MAX_TENSORS, StoredTensor, is_name};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::HashSet;

/// Longest header accepted, in bytes; the limit of the reference implementation.
pub const MAX_HEADER: u64 = 100_000_000;
/// Reads the header of a whole file given as bytes. Tensors come back in the order of their data, which covers the
/// rest of the file without holes or overlaps.
pub fn read_header(file: &str, bytes: &[u8]) -> Result<Vec<StoredTensor>, ModelError> {
    let fail = |problem: String| ModelError::Weights { file: file.to_owned(), problem };
    let total = bytes.len() as u64;
    let Some(length) = bytes.first_chunk::<8>() else {
        return Err(fail(format!("only {total} bytes long, too short for a safetensors file")));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(fail(format!("declares a header of {length} bytes; at most {MAX_HEADER} are accepted")));
    }
    let data_start = length + 8;
    if data_start > total {
        return Err(fail(format!("declares a header of {length} bytes, but the file has only {total}")));
    }
    // Both bounded by the length of a slice, so the casts hold on every platform.
    let header = &bytes[8..data_start as usize];
    let Header(mut entries) =
        serde_json::from_slice(header).map_err(|e| fail(format!("its header does not parse: {e}")))?;
    entries.sort_by_key(|(_, entry)| entry.data_offsets);

    let mut tensors = Vec::with_capacity(entries.len());
    let mut expected = 0;
    for (name, entry) in entries {
        let fail = |problem: String| fail(format!("tensor `{name}` {problem}"));
        let (begin, end) = entry.data_offsets;
        if begin > end {
            return Err(fail(format!("ends (byte {end}) before it begins (byte {begin})")));
        }
        if begin < expected {
            return Err(fail(format!("begins at byte {begin} of the data, inside its neighbour ending at {expected}")));
        }
        if begin > expected {
            return Err(fail(format!("begins at byte {begin} of the data, leaving a hole after byte {expected}")));
        }
        if entry.shape.len() > MAX_DIMENSIONS {
            return Err(fail(format!("has {} dimensions; at most {MAX_DIMENSIONS} are accepted", entry.shape.len())));
        }
        let dtype = Dtype::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&entry.dtype))
            .map_err(|_| fail(format!("has the unknown dtype {:?}", entry.dtype)))?;
        let needed = byte_length(dtype, &entry.shape)
            .ok_or_else(|| fail(format!("has an impossible size: {:?} of {dtype}", entry.shape)))?;
        if needed != end - begin {
            return Err(fail(format!(
                "takes {needed} bytes as {:?} of {dtype}, but is given {}",
                entry.shape,
                end - begin
            )));
        }
        expected = end;
        let Some(absolute_end) = data_start.checked_add(end).filter(|&e| e <= total) else {
            let held = total - data_start;
            return Err(fail(format!(
                "ends at byte {end} of the data, but the file holds only {held}: it is truncated"
            )));
        };
        let range = (data_start + begin) as usize..absolute_end as usize;
        tensors.push(StoredTensor { name, dtype, shape: entry.shape, range, strides: None });
    }
    if data_start + expected != total {
        let extra = total - data_start - expected;
        return Err(fail(format!("{extra} bytes follow the last tensor; the header does not account for them")));
    }
    second_opinion(&tensors, data_start).map_err(|e| fail(format!("its header is refused: {e}")))?;
    Ok(tensors)
}

fn byte_length(dtype: Dtype, shape: &[u64]) -> Option<u64> {
    let elements = shape.iter().try_fold(1u64, |product, &d| product.checked_mul(d))?;
    let bits = elements.checked_mul(dtype.bitsize() as u64)?;
    (bits % 8 == 0).then_some(bits / 8)
}

/// The safetensors crate's own validation, so that we never accept what the format's authors refuse.
fn second_opinion(tensors: &[StoredTensor], data_start: u64) -> Result<(), safetensors::SafeTensorError> {
    let infos = tensors.iter().map(|t| {
        let start = data_start as usize;
        let shape = t.shape.iter().map(|&d| d as usize).collect();
        let data_offsets = (t.range.start - start, t.range.end - start);
        (t.name.clone(), TensorInfo { dtype: t.dtype, shape, data_offsets })
    });
    Metadata::new(None, infos.collect()).map(drop)
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A JSON object read entry by entry: a map type would silently keep the last of two equal keys.
struct Header(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut seen = HashSet::new();
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !is_name(&name) {
                        let bytes = name.len();
                        return Err(A::Error::custom(format_args!(
                            "a tensor name of {bytes} bytes is empty, longer than {MAX_NAME} bytes or holds control \
                             characters"
                        )));
                    }
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<serde::de::IgnoredAny>()?;
                        continue;
                    }
                    if entries.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format_args!("more than {MAX_TENSORS} tensors")));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
