//! A header read back: every count, name, shape, type and offset checked against the file before it is believed.

use super::cursor::Cursor;
use super::encode::{alignment_of, padded};
use super::{ContainerError, MAGIC, MAX_DIMENSIONS, MAX_KEY_BYTES, MAX_NAME_BYTES, StoredTensor, TensorInfo, VERSION};
use crate::value::{Array, KeyValue, Value};
use llmq_ggml_blocks::BlockType;
use std::collections::HashSet;

/// A header that was found sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Format version, 2 or 3.
    pub version: u32,
    /// Metadata in file order.
    pub key_values: Vec<KeyValue>,
    /// Tensors in file order, with their places from the start of the file.
    pub tensors: Vec<StoredTensor>,
    /// First byte of the tensor data.
    pub data_start: u64,
    /// Where the padded last tensor ends. A file may be longer; the tail then belongs to nobody.
    pub data_end: u64,
}

impl Header {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.key_values.iter().find(|pair| pair.key == key).map(|pair| &pair.value)
    }
}

/// Reads the header of a file from its bytes; `length` is that of the whole file, `data` at least its header.
///
/// Never panics; allocates at most a small multiple of `data.len()`.
///
/// # Errors
/// The first thing that is not as the format wants it, with its place.
pub fn decode(data: &[u8], length: u64) -> Result<Header, ContainerError> {
    let mut cursor = Cursor::new(data);
    if cursor.take("the magic number", 4).map_err(|_| ContainerError::Magic)? != MAGIC {
        return Err(ContainerError::Magic);
    }
    let version = cursor.u32("the version")?;
    if version != 0 && version.trailing_zeros() >= 16 {
        return Err(ContainerError::BigEndian);
    }
    if !(2..=VERSION).contains(&version) {
        return Err(ContainerError::Version(version));
    }
    let tensor_count = cursor.u64("the tensor count")?;
    let pair_count = cursor.u64("the key count")?;
    // The smallest pair is a key of one byte with a value of one: 8 + 1 + 4 + 1.
    cursor.expect("the key-values", pair_count, 14)?;
    let mut key_values = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..pair_count {
        let pair = read_pair(&mut cursor)?;
        if !seen.insert(pair.key.clone()) {
            return Err(ContainerError::DuplicateKey(pair.key));
        }
        key_values.push(pair);
    }
    let alignment = alignment_of(&key_values)?;
    // The smallest line is a name of one byte with one dimension: 8 + 1 + 4 + 8 + 4 + 8.
    cursor.expect("the tensor list", tensor_count, 33)?;
    let mut listed = Vec::new();
    for _ in 0..tensor_count {
        listed.push(read_line(&mut cursor)?);
    }
    let data_start = cursor.at().next_multiple_of(alignment);
    let (tensors, data_end) = place(listed, data_start, alignment, length)?;
    Ok(Header { version, key_values, tensors, data_start, data_end })
}

fn place(
    listed: Vec<(TensorInfo, u64)>,
    data_start: u64,
    alignment: u64,
    length: u64,
) -> Result<(Vec<StoredTensor>, u64), ContainerError> {
    let mut names = HashSet::new();
    let mut tensors = Vec::with_capacity(listed.len());
    let mut expected = 0u64;
    for (info, found) in listed {
        if !names.insert(info.name.clone()) {
            return Err(ContainerError::DuplicateTensor(info.name));
        }
        let bytes = info.checked_bytes()?;
        if found != expected {
            return Err(ContainerError::Offset { name: info.name, found, expected });
        }
        let end = data_start.saturating_add(found).saturating_add(bytes);
        if end > length {
            return Err(ContainerError::CutOff { name: info.name, end, length });
        }
        expected = padded(found, bytes, alignment)
            .ok_or_else(|| ContainerError::Shape { name: info.name.clone(), ne: info.ne.clone() })?;
        tensors.push(StoredTensor { info, offset: data_start + found, bytes });
    }
    Ok((tensors, data_start + expected))
}

fn read_pair(cursor: &mut Cursor) -> Result<KeyValue, ContainerError> {
    let at = cursor.at();
    let bytes = cursor.text("a key")?;
    let key = std::str::from_utf8(bytes).ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES);
    let key = key.ok_or(ContainerError::Key { at })?;
    let kind = cursor.u32("a value type")?;
    Ok(KeyValue { key: key.to_owned(), value: read_value(cursor, key, kind)? })
}

fn read_value(cursor: &mut Cursor, key: &str, kind: u32) -> Result<Value, ContainerError> {
    const WHAT: &str = "a value";
    Ok(match kind {
        0 => Value::U8(cursor.array::<1>(WHAT)?[0]),
        1 => Value::I8(i8::from_le_bytes(cursor.array(WHAT)?)),
        2 => Value::U16(u16::from_le_bytes(cursor.array(WHAT)?)),
        3 => Value::I16(i16::from_le_bytes(cursor.array(WHAT)?)),
        4 => Value::U32(cursor.u32(WHAT)?),
        5 => Value::I32(i32::from_le_bytes(cursor.array(WHAT)?)),
        6 => Value::F32(f32::from_le_bytes(cursor.array(WHAT)?)),
        7 => Value::Bool(to_bool(key, cursor.array::<1>(WHAT)?[0])?),
        // Files in the wild hold names that are not UTF-8, which is not worth refusing a model.
        8 => {
            let bytes = cursor.text(WHAT)?.to_vec();
            String::from_utf8(bytes).map_or_else(|e| Value::Bytes(e.into_bytes()), Value::String)
        }
        9 => Value::Array(read_array(cursor, key)?),
        10 => Value::U64(cursor.u64(WHAT)?),
        11 => Value::I64(i64::from_le_bytes(cursor.array(WHAT)?)),
        12 => Value::F64(f64::from_le_bytes(cursor.array(WHAT)?)),
        id => return Err(ContainerError::ValueType { key: key.to_owned(), id, where_: "a key" }),
    })
}

fn read_array(cursor: &mut Cursor, key: &str) -> Result<Array, ContainerError> {
    let kind = cursor.u32("an element type")?;
    let count = cursor.u64("an element count")?;
    Ok(match kind {
        0 => Array::U8(cursor.numbers(count, |[b]: [u8; 1]| b)?),
        1 => Array::I8(cursor.numbers(count, i8::from_le_bytes)?),
        2 => Array::U16(cursor.numbers(count, u16::from_le_bytes)?),
        3 => Array::I16(cursor.numbers(count, i16::from_le_bytes)?),
        4 => Array::U32(cursor.numbers(count, u32::from_le_bytes)?),
        5 => Array::I32(cursor.numbers(count, i32::from_le_bytes)?),
        6 => Array::F32(cursor.numbers(count, f32::from_le_bytes)?),
        7 => {
            let bytes = cursor.take("an array", count)?;
            Array::Bool(bytes.iter().map(|b| to_bool(key, *b)).collect::<Result<_, _>>()?)
        }
        8 => {
            cursor.expect("an array of texts", count, 8)?;
            let mut texts = Vec::new();
            for _ in 0..count {
                texts.push(cursor.text("an array of texts")?.to_vec());
            }
            Array::String(texts)
        }
        10 => Array::U64(cursor.numbers(count, u64::from_le_bytes)?),
        11 => Array::I64(cursor.numbers(count, i64::from_le_bytes)?),
        12 => Array::F64(cursor.numbers(count, f64::from_le_bytes)?),
        id => return Err(ContainerError::ValueType { key: key.to_owned(), id, where_: "an array" }),
    })
}

fn to_bool(key: &str, byte: u8) -> Result<bool, ContainerError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        byte => Err(ContainerError::Bool { key: key.to_owned(), byte }),
    }
}

fn read_line(cursor: &mut Cursor) -> Result<(TensorInfo, u64), ContainerError> {
    const WHAT: &str = "the tensor list";
    let bytes = cursor.text(WHAT)?;
    let name = std::str::from_utf8(bytes).ok().filter(|name| !name.is_empty() && name.len() <= MAX_NAME_BYTES);
    let Some(name) = name else {
        let head = &bytes[..bytes.len().min(MAX_NAME_BYTES)];
        return Err(ContainerError::TensorName(String::from_utf8_lossy(head).into_owned()));
    };
    let name = name.to_owned();
    let count = cursor.u32(WHAT)?;
    if count == 0 || count as usize > MAX_DIMENSIONS {
        return Err(ContainerError::Dimensions { name, count: u64::from(count) });
    }
    let ne = cursor.numbers(u64::from(count), u64::from_le_bytes)?;
    let id = cursor.u32(WHAT)?;
    let offset = cursor.u64(WHAT)?;
    match BlockType::from_id(id) {
        Some(encoding) => Ok((TensorInfo { name, ne, encoding }, offset)),
        None => Err(ContainerError::TensorType { name, id }),
    }
}
