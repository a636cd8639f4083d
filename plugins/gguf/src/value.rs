//! The metadata values of a GGUF file: what a key may hold, and how each kind is numbered.

/// One `key = value` line of a GGUF header; the order of lines is part of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// Dotted lower-case name, at most 65535 bytes (`tokenizer.ggml.tokens`).
    pub key: String,
    /// What the key holds.
    pub value: Value,
}

impl KeyValue {
    /// Pairs `key` with anything that is a metadata value.
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// Adds a key, or replaces its value at the place it already has.
///
/// A writer that sets a key twice keeps the first place and the last value; files are equal only if everybody does so.
pub fn set(list: &mut Vec<KeyValue>, key: &str, value: impl Into<Value>) {
    match list.iter_mut().find(|line| line.key == key) {
        Some(line) => line.value = value.into(),
        None => list.push(KeyValue::new(key, value)),
    }
}

/// A metadata value (GGUF version 3; the numbers are [`Value::type_id`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Type 0.
    U8(u8),
    /// Type 1.
    I8(i8),
    /// Type 2.
    U16(u16),
    /// Type 3.
    I16(i16),
    /// Type 4.
    U32(u32),
    /// Type 5.
    I32(i32),
    /// Type 6.
    F32(f32),
    /// Type 7, one byte, 0 or 1.
    Bool(bool),
    /// Type 8, UTF-8 without a terminator.
    String(String),
    /// Type 9.
    Array(Array),
    /// Type 10.
    U64(u64),
    /// Type 11.
    I64(i64),
    /// Type 12.
    F64(f64),
    /// Type 8 that is not UTF-8, kept as it is: a file that passes through must not lose a byte.
    Bytes(Vec<u8>),
}

/// An array of one element type. Arrays of arrays are absent: llama.cpp refuses them.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Elements of type 0.
    U8(Vec<u8>),
    /// Elements of type 1.
    I8(Vec<i8>),
    /// Elements of type 2.
    U16(Vec<u16>),
    /// Elements of type 3.
    I16(Vec<i16>),
    /// Elements of type 4.
    U32(Vec<u32>),
    /// Elements of type 5.
    I32(Vec<i32>),
    /// Elements of type 6.
    F32(Vec<f32>),
    /// Elements of type 7.
    Bool(Vec<bool>),
    /// Elements of type 8. Bytes, because the tokens of some vocabularies are cut inside a UTF-8 sequence.
    String(Vec<Vec<u8>>),
    /// Elements of type 10.
    U64(Vec<u64>),
    /// Elements of type 11.
    I64(Vec<i64>),
    /// Elements of type 12.
    F64(Vec<f64>),
}

impl Value {
    /// The number that stands for this kind in a file.
    pub const fn type_id(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) | Self::Bytes(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    /// The text of a string value, `None` for every other kind.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Array {
    /// The number that stands for the element kind in a file.
    pub const fn element_type_id(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::String(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! scalar {
    ($($kind:ident($native:ty)),* $(,)?) => {$(
        impl From<$native> for Value {
            fn from(value: $native) -> Self {
                Self::$kind(value)
            }
        }
        impl From<Vec<$native>> for Value {
            fn from(values: Vec<$native>) -> Self {
                Self::Array(Array::$kind(values))
            }
        }
    )*};
}

scalar!(U8(u8), I8(i8), U16(u16), I16(i16), U32(u32), I32(i32), F32(f32), Bool(bool), U64(u64), I64(i64), F64(f64));

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<Vec<Vec<u8>>> for Value {
    fn from(texts: Vec<Vec<u8>>) -> Self {
        Self::Array(Array::String(texts))
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        texts.into_iter().map(String::into_bytes).collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_twice_keeps_its_place() {
        let mut list = Vec::new();
        set(&mut list, "a", 1_u32);
        set(&mut list, "b", 2_u32);
        set(&mut list, "a", 3_u32);
        assert_eq!(list, [KeyValue::new("a", 3_u32), KeyValue::new("b", 2_u32)]);
    }

    #[test]
    fn a_list_of_texts_is_an_array_of_type_8() {
        let Value::Array(array) = Value::from(vec!["a".to_owned(), "b".to_owned()]) else {
            panic!("a list must become an array")
        };
        assert_eq!((array.element_type_id(), array.len()), (8, 2));
        assert_eq!(Value::Array(array).type_id(), 9);
    }
}
