//! Stored types.

/// A type that safetensors files know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// bfloat16.
    Bf16,
    /// Signed 32-bit integer.
    I32,
    /// Anything else: its word and the bytes of an element. Its numbers are never read.
    Other(&'static str, u64),
}

const ALL: [Dtype; 17] = [
    Dtype::F32,
    Dtype::F16,
    Dtype::Bf16,
    Dtype::I32,
    Dtype::Other("F64", 8),
    Dtype::Other("I64", 8),
    Dtype::Other("U64", 8),
    Dtype::Other("U32", 4),
    Dtype::Other("I16", 2),
    Dtype::Other("U16", 2),
    Dtype::Other("I8", 1),
    Dtype::Other("U8", 1),
    Dtype::Other("BOOL", 1),
    Dtype::Other("F8_E4M3", 1),
    Dtype::Other("F8_E5M2", 1),
    Dtype::Other("F8_E8M0", 1),
    Dtype::Other("C64", 8),
];

impl Dtype {
    /// The word in headers.
    pub fn word(self) -> &'static str {
        match self {
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            Dtype::Bf16 => "BF16",
            Dtype::I32 => "I32",
            Dtype::Other(word, _) => word,
        }
    }

    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        match self {
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::Other(_, bytes) => bytes,
        }
    }

    /// The type of a word.
    pub fn of(word: &str) -> Option<Dtype> {
        ALL.into_iter().find(|dtype| dtype.word() == word)
    }
}
