//! Header bytes from key-values and the tensor list; every tensor's place follows from the sizes alone.

use super::{
    ALIGNMENT_KEY, ContainerError, DEFAULT_ALIGNMENT, MAGIC, MAX_KEY_BYTES, StoredTensor, TensorInfo, VERSION,
};
use crate::value::{Array, KeyValue, Value};
use std::collections::HashSet;

/// A complete header and where everything behind it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// All bytes up to the first tensor, padding included.
    pub header: Vec<u8>,
    /// Every tensor with its place in the file, in the order given.
    pub tensors: Vec<StoredTensor>,
    /// Length of the whole file: the last tensor is padded as well.
    pub file_bytes: u64,
}

/// Lays out a file. Key-values and tensors keep their order; gaps between tensors are zero.
///
/// # Errors
/// A duplicate or over-long name, a shape that is empty or too large, rows that are not whole blocks, an alignment that
/// is no power of two.
pub fn encode(key_values: &[KeyValue], tensors: Vec<TensorInfo>) -> Result<Encoded, ContainerError> {
    let alignment = alignment_of(key_values)?;
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((key_values.len() as u64).to_le_bytes());
    let mut seen = HashSet::new();
    for pair in key_values {
        if pair.key.is_empty() || pair.key.len() > MAX_KEY_BYTES {
            return Err(ContainerError::Key { at: out.len() as u64 });
        }
        if !seen.insert(pair.key.as_str()) {
            return Err(ContainerError::DuplicateKey(pair.key.clone()));
        }
        put_text(&mut out, pair.key.as_bytes());
        put_value(&mut out, &pair.value);
    }
    let sizes = tensors.iter().map(TensorInfo::checked_bytes).collect::<Result<Vec<u64>, _>>()?;
    let mut names = HashSet::new();
    let mut offset = 0u64;
    let mut offsets = Vec::with_capacity(tensors.len());
    for (tensor, bytes) in tensors.iter().zip(&sizes) {
        if !names.insert(tensor.name.as_str()) {
            return Err(ContainerError::DuplicateTensor(tensor.name.clone()));
        }
        put_text(&mut out, tensor.name.as_bytes());
        out.extend((tensor.ne.len() as u32).to_le_bytes());
        tensor.ne.iter().for_each(|d| out.extend(d.to_le_bytes()));
        out.extend(tensor.encoding.id().to_le_bytes());
        out.extend(offset.to_le_bytes());
        offsets.push(offset);
        offset = padded(offset, *bytes, alignment)
            .ok_or_else(|| ContainerError::Shape { name: tensor.name.clone(), ne: tensor.ne.clone() })?;
    }
    out.resize(out.len().next_multiple_of(alignment as usize), 0);
    let start = out.len() as u64;
    let place = |((info, offset), bytes)| StoredTensor { info, offset: start + offset, bytes };
    let tensors = tensors.into_iter().zip(offsets).zip(sizes).map(place).collect();
    Ok(Encoded { header: out, tensors, file_bytes: start + offset })
}

/// Where the next tensor starts behind one of `bytes` bytes at `offset`; `None` beyond 62 bits.
pub(super) fn padded(offset: u64, bytes: u64, alignment: u64) -> Option<u64> {
    offset.checked_add(bytes)?.checked_next_multiple_of(alignment).filter(|end| *end <= 1 << 62)
}

/// The alignment that a list of key-values asks for.
pub(super) fn alignment_of(key_values: &[KeyValue]) -> Result<u64, ContainerError> {
    match key_values.iter().find(|pair| pair.key == ALIGNMENT_KEY).map(|pair| &pair.value) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(n)) if n.is_power_of_two() && *n <= 1 << 20 => Ok(u64::from(*n)),
        Some(Value::U32(n)) => Err(ContainerError::Alignment(n.to_string())),
        Some(other) => Err(ContainerError::Alignment(format!("of value type {}", other.type_id()))),
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    out.extend(value.type_id().to_le_bytes());
    match value {
        Value::U8(v) => out.extend(v.to_le_bytes()),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::String(v) => put_text(out, v.as_bytes()),
        Value::Bytes(v) => put_text(out, v),
        Value::Array(v) => put_array(out, v),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend(array.element_type_id().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(v) => out.extend(v),
        Array::I8(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::U16(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::I16(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::U32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::I32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::F32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::Bool(v) => out.extend(v.iter().map(|x| u8::from(*x))),
        Array::String(v) => v.iter().for_each(|x| put_text(out, x)),
        Array::U64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::I64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Array::F64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_ggml_blocks::BlockType;

    #[test]
    fn bytes_are_laid_out_as_the_format_says() {
        let tensor = |name: &str, ne: &[u64]| TensorInfo { name: name.into(), ne: ne.into(), encoding: BlockType::F32 };
        let file = encode(&[KeyValue::new("a.b", 7u32)], vec![tensor("x", &[3]), tensor("y", &[2, 5])]).unwrap();
        let mut expected = Vec::new();
        expected.extend(b"GGUF\x03\0\0\0");
        expected.extend(b"\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        expected.extend(b"\x03\0\0\0\0\0\0\0a.b\x04\0\0\0\x07\0\0\0");
        expected.extend(b"\x01\0\0\0\0\0\0\0x\x01\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        expected.extend(b"\x01\0\0\0\0\0\0\0y\x02\0\0\0\x02\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0");
        expected.resize(expected.len().next_multiple_of(32), 0);
        assert_eq!(file.header, expected);
        let start = file.header.len() as u64;
        assert_eq!((file.tensors[0].offset, file.tensors[0].bytes), (start, 12));
        assert_eq!((file.tensors[1].offset, file.tensors[1].bytes), (start + 32, 40));
        assert_eq!(file.file_bytes, start + 96);
    }

    #[test]
    fn what_no_reader_would_accept_is_not_written() {
        let tensor = |name: &str, ne: &[u64], encoding| TensorInfo { name: name.into(), ne: ne.into(), encoding };
        let fails = |kv: &[KeyValue], tensors| encode(kv, tensors).unwrap_err();
        let twice = [KeyValue::new("k", 1u32), KeyValue::new("k", 2u32)];
        assert_eq!(fails(&twice, vec![]), ContainerError::DuplicateKey("k".into()));
        assert_eq!(fails(&[KeyValue::new("", 1u32)], vec![]), ContainerError::Key { at: 24 });
        let odd = [KeyValue::new(ALIGNMENT_KEY, 24u32)];
        assert_eq!(fails(&odd, vec![]), ContainerError::Alignment("24".into()));
        let f32s = |name: &str, ne: &[u64]| tensor(name, ne, BlockType::F32);
        let same = vec![f32s("a", &[1]), f32s("a", &[1])];
        assert_eq!(fails(&[], same), ContainerError::DuplicateTensor("a".into()));
        assert!(matches!(fails(&[], vec![f32s(&"n".repeat(64), &[1])]), ContainerError::TensorName(_)));
        assert!(matches!(fails(&[], vec![f32s("a", &[])]), ContainerError::Dimensions { count: 0, .. }));
        assert!(matches!(fails(&[], vec![f32s("a", &[1 << 40, 1 << 40])]), ContainerError::Shape { .. }));
        assert!(matches!(fails(&[], vec![f32s("a", &[1 << 62])]), ContainerError::Shape { .. }));
        assert!(matches!(fails(&[], vec![f32s("a", &[0])]), ContainerError::Shape { .. }));
        let ragged = vec![tensor("a", &[100, 2], BlockType::Q4_K)];
        assert!(matches!(fails(&[], ragged), ContainerError::RaggedRows { columns: 100, block: 256, .. }));
    }
}
