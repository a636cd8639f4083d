//! The four floating-point types that source weights may have, and exact conversion of rows to f32.

use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::Dtype as StoredDtype;

/// Element type of source weights. Anything else is refused when the model is opened, so code past that point has
/// four cases and no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// IEEE double precision, rounded to the nearest single on reading, as the reference converter does.
    F64,
}

impl Dtype {
    /// The floating-point type behind a stored one; `None` for integers, bits and 8-bit floats.
    pub fn of_stored(stored: StoredDtype) -> Option<Dtype> {
        match stored {
            StoredDtype::F32 => Some(Dtype::F32),
            StoredDtype::F16 => Some(Dtype::F16),
            StoredDtype::BF16 => Some(Dtype::BF16),
            StoredDtype::F64 => Some(Dtype::F64),
            _ => None,
        }
    }

    /// Safetensors' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            Dtype::BF16 => "BF16",
            Dtype::F64 => "F64",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::F16 | Dtype::BF16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }

    /// Converts little-endian elements to f32, exactly but for [`Dtype::F64`]. `bytes` may lie at any address.
    ///
    /// # Panics
    /// If `bytes.len() != out.len() * self.size()`.
    pub fn widen(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), out.len() * self.size(), "{} elements of {}", out.len(), self.as_str());
        match self {
            Dtype::F32 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *o = f32::from_le_bytes(*b);
                }
            }
            Dtype::BF16 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *o = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
                }
            }
            Dtype::F16 => {
                // Through a small aligned buffer: the conversion uses the processor's own instruction, and the bytes
                // of a file need not be aligned.
                let mut aligned = [f16::ZERO; 1024];
                for (o, b) in out.chunks_mut(1024).zip(bytes.chunks(2048)) {
                    let aligned = &mut aligned[..o.len()];
                    for (a, b) in aligned.iter_mut().zip(b.as_chunks::<2>().0) {
                        *a = f16::from_le_bytes(*b);
                    }
                    aligned.convert_to_f32_slice(o);
                }
            }
            Dtype::F64 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *o = f64::from_le_bytes(*b) as f32;
                }
            }
        }
    }
}

/// torch's name of a safetensors dtype, as config.json spells it.
pub fn torch_dtype(dtype: &str) -> String {
    match dtype {
        "F64" => "float64".into(),
        "F32" => "float32".into(),
        "F16" => "float16".into(),
        "BF16" => "bfloat16".into(),
        "F8_E4M3" => "float8_e4m3fn".into(),
        "F8_E5M2" => "float8_e5m2".into(),
        other => match other.strip_prefix('I') {
            Some(bits) => format!("int{bits}"),
            None => other.replacen('U', "uint", 1).to_ascii_lowercase(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    #[test]
    fn every_half_widens_exactly_at_every_alignment() {
        for (dtype, exact) in [
            (Dtype::F16, (|b| f16::from_bits(b).to_f32()) as fn(u16) -> f32),
            (Dtype::BF16, |b| bf16::from_bits(b).to_f32()),
        ] {
            let mut bytes = vec![0u8];
            bytes.extend((0..=u16::MAX).flat_map(u16::to_le_bytes));
            let mut out = vec![0f32; 1 << 16];
            dtype.widen(&bytes[1..], &mut out);
            for (bits, &found) in (0..=u16::MAX).zip(&out) {
                let wanted = exact(bits);
                assert!(found == wanted || (found.is_nan() && wanted.is_nan()), "{dtype:?} {bits:#06x}");
            }
        }
    }

    #[test]
    fn singles_and_doubles() {
        let singles = [1.5f32, -0.0, f32::MIN_POSITIVE / 2.0, 3.0e38];
        let bytes: Vec<u8> = singles.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut out = [0f32; 4];
        Dtype::F32.widen(&bytes, &mut out);
        assert_eq!(out.map(f32::to_bits), singles.map(f32::to_bits));

        let bytes: Vec<u8> = [0.1f64, -2.0, 1e-300, 7.25].iter().flat_map(|x| x.to_le_bytes()).collect();
        Dtype::F64.widen(&bytes, &mut out);
        assert_eq!(out, [0.1f32, -2.0, 0.0, 7.25]);
    }

    #[test]
    fn dtypes_are_spelled_as_config_json_does() {
        let spelled = ["F32", "BF16", "F16", "I8", "U8", "F8_E4M3"].map(torch_dtype);
        assert_eq!(spelled, ["float32", "bfloat16", "float16", "int8", "uint8", "float8_e4m3fn"]);
    }
}
