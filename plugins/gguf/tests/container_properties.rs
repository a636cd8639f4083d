//! The container against arbitrary input: what is written reads back, what is damaged is refused without a panic.

use llmq_ggml_blocks::BlockType;
use llmq_gguf::container::{ContainerError, TensorInfo, decode, encode};
use llmq_gguf::value::{Array, KeyValue, Value};
use proptest::prelude::*;

fn any_array() -> impl Strategy<Value = Array> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Array::U8),
        prop::collection::vec(any::<i8>(), 0..9).prop_map(Array::I8),
        prop::collection::vec(any::<u16>(), 0..9).prop_map(Array::U16),
        prop::collection::vec(any::<i16>(), 0..9).prop_map(Array::I16),
        prop::collection::vec(any::<u32>(), 0..9).prop_map(Array::U32),
        prop::collection::vec(any::<i32>(), 0..9).prop_map(Array::I32),
        prop::collection::vec(-1e30f32..1e30, 0..9).prop_map(Array::F32),
        prop::collection::vec(any::<bool>(), 0..9).prop_map(Array::Bool),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..9).prop_map(Array::String),
        prop::collection::vec(any::<u64>(), 0..9).prop_map(Array::U64),
        prop::collection::vec(any::<i64>(), 0..9).prop_map(Array::I64),
        prop::collection::vec(-1e300f64..1e300, 0..9).prop_map(Array::F64),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        (-1e30f32..1e30).prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        ".{0,12}".prop_map(Value::String),
        any_array().prop_map(Value::Array),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        (-1e300f64..1e300).prop_map(Value::F64),
    ]
}

prop_compose! {
    fn any_head()(
        values in prop::collection::vec(any_value(), 0..8),
        shapes in prop::collection::vec((1u64..4, prop::collection::vec(1u64..5, 0..4), 0usize..BlockType::ALL.len()), 0..6),
        shift in 0u32..8,
    ) -> (Vec<KeyValue>, Vec<TensorInfo>) {
        let mut pairs: Vec<KeyValue> =
            values.into_iter().enumerate().map(|(i, value)| KeyValue { key: format!("key.{i}"), value }).collect();
        pairs.push(KeyValue::new("general.alignment", 1u32 << shift));
        let tensor = |(i, (blocks, outer, encoding)): (usize, (u64, Vec<u64>, usize))| {
            let encoding = BlockType::ALL[encoding];
            let mut ne = vec![blocks * encoding.block_len() as u64];
            ne.extend(outer);
            TensorInfo { name: format!("tensor.{i}"), ne, encoding }
        };
        (pairs, shapes.into_iter().enumerate().map(tensor).collect())
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back((pairs, tensors) in any_head()) {
        let file = encode(&pairs, tensors).unwrap();
        let read = decode(&file.header, file.file_bytes).unwrap();
        prop_assert_eq!(&read.key_values, &pairs);
        prop_assert_eq!(&read.tensors, &file.tensors);
        prop_assert_eq!(read.data_start, file.header.len() as u64);
        prop_assert_eq!(read.data_end, file.file_bytes);
        // The same file again: the header is a function of what was read.
        let again = encode(&read.key_values, read.tensors.into_iter().map(|t| t.info).collect()).unwrap();
        prop_assert_eq!(again.header, file.header);
    }

    #[test]
    fn a_cut_header_is_refused((pairs, tensors) in any_head(), cut in 0.0f64..1.0) {
        let file = encode(&pairs, tensors).unwrap();
        let unpadded = file.header.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        let length = (cut * unpadded as f64) as usize;
        prop_assert!(decode(&file.header[..length], length as u64).is_err());
    }

    #[test]
    fn damaged_headers_never_panic((pairs, tensors) in any_head(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let file = encode(&pairs, tensors).unwrap();
        let mut bytes = file.header.clone();
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode(&bytes, file.file_bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tail);
        let _ = decode(&bytes, bytes.len() as u64);
    }
}

/// A header with one tensor line whose fields a test may bend.
fn line(name: &[u8], dims: u32, ne: &[u64], id: u32, offset: u64) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend((name.len() as u64).to_le_bytes());
    out.extend(name);
    out.extend(dims.to_le_bytes());
    ne.iter().for_each(|d| out.extend(d.to_le_bytes()));
    out.extend(id.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.resize(out.len() + 64, 0);
    out
}

#[test]
fn each_lie_gets_its_own_refusal() {
    let refused = |bytes: &[u8]| decode(bytes, 1 << 20).unwrap_err();
    assert_eq!(refused(b"GGML"), ContainerError::Magic);
    assert_eq!(refused(b"GG"), ContainerError::Magic);
    assert_eq!(refused(b"GGUF\x01\0\0\0"), ContainerError::Version(1));
    assert_eq!(refused(b"GGUF\0\0\0\x03"), ContainerError::BigEndian);
    let huge = b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
    assert!(matches!(refused(huge), ContainerError::Truncated { what: "the tensor list", .. }));
    let huge = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    assert!(matches!(refused(huge), ContainerError::Truncated { what: "the key-values", .. }));
    assert!(decode(&line(b"t", 1, &[8], 0, 0), 1 << 20).is_ok());
    assert!(matches!(refused(&line(&[b'n'; 64], 1, &[8], 0, 0)), ContainerError::TensorName(_)));
    assert!(matches!(refused(&line(b"\xff\xfe", 1, &[8], 0, 0)), ContainerError::TensorName(_)));
    assert!(matches!(refused(&line(b"t", 0, &[], 0, 0)), ContainerError::Dimensions { count: 0, .. }));
    assert!(matches!(refused(&line(b"t", 5, &[1; 5], 0, 0)), ContainerError::Dimensions { count: 5, .. }));
    assert!(matches!(refused(&line(b"t", 2, &[1 << 40, 1 << 40], 0, 0)), ContainerError::Shape { .. }));
    assert!(matches!(refused(&line(b"t", 1, &[0], 0, 0)), ContainerError::Shape { .. }));
    assert!(matches!(refused(&line(b"t", 1, &[8], 4, 0)), ContainerError::TensorType { id: 4, .. }));
    assert!(matches!(refused(&line(b"t", 1, &[100], 12, 0)), ContainerError::RaggedRows { block: 256, .. }));
    assert!(matches!(refused(&line(b"t", 1, &[8], 0, 32)), ContainerError::Offset { found: 32, expected: 0, .. }));
    assert!(matches!(refused(&line(b"t", 1, &[1 << 30], 0, 0)), ContainerError::CutOff { .. }));
}

#[test]
fn a_key_may_not_lie_either() {
    let with = |pair: &[u8]| {
        let mut out = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0k".to_vec();
        out.extend(pair);
        decode(&out, 1 << 20).unwrap_err()
    };
    assert_eq!(with(b"\x07\0\0\0\x02"), ContainerError::Bool { key: "k".into(), byte: 2 });
    assert!(matches!(with(b"\x0d\0\0\0\0"), ContainerError::ValueType { id: 13, .. }));
    let nested = with(b"\x09\0\0\0\x09\0\0\0\x01\0\0\0\0\0\0\0");
    assert!(matches!(nested, ContainerError::ValueType { id: 9, where_: "an array", .. }));
    let long = with(b"\x09\0\0\0\x0c\0\0\0\xff\xff\xff\xff\xff\xff\xff\x1f");
    assert!(matches!(long, ContainerError::Truncated { what: "an array", .. }));
    let texts = with(b"\x09\0\0\0\x08\0\0\0\xff\xff\xff\xff\0\0\0\0");
    assert!(matches!(texts, ContainerError::Truncated { what: "an array of texts", .. }));
}
