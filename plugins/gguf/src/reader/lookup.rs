//! Typed access to metadata: files differ in the width of their integers.

use crate::container::Header;
use crate::value::Value;

impl Header {
    /// A number that cannot be negative, whatever integer type it is stored as.
    pub(super) fn unsigned(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::U8(n) => Some(u64::from(*n)),
            Value::U16(n) => Some(u64::from(*n)),
            Value::U32(n) => Some(u64::from(*n)),
            Value::U64(n) => Some(*n),
            Value::I8(n) => u64::try_from(*n).ok(),
            Value::I16(n) => u64::try_from(*n).ok(),
            Value::I32(n) => u64::try_from(*n).ok(),
            Value::I64(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A floating-point number. Single precision becomes the shortest decimal that means it, so that `1e-5` stays `1e-5`.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::F32(n) => n.to_string().parse().ok(),
            Value::F64(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }
}
