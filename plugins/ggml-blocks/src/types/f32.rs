//! F32: the weights themselves, little-endian.

/// Stores one weight.
pub(crate) fn encode(x: f32) -> [u8; 4] {
    x.to_le_bytes()
}

/// Loads one weight.
pub(crate) fn decode(bytes: [u8; 4]) -> f32 {
    f32::from_le_bytes(bytes)
}
