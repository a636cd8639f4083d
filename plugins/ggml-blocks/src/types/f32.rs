//! F32: the weights themselves, little-endian.

/// Stores one weight.
#[inline(always)]
pub(crate) fn encode([x]: &[f32; 1], out: &mut [u8; 4]) {
    *out = x.to_le_bytes();
}

/// Loads one weight.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8; 4], [out]: &mut [f32; 1]) {
    *out = f32::from_le_bytes(*bytes);
}
