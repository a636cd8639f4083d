//! Where an author puts results.

use super::Error;
use crate::abi;

/// The host's sink: bytes go to their final place in the host's own files.
pub struct Output<'a> {
    raw: &'a (dyn abi::Sink + 'a),
}

impl<'a> Output<'a> {
    pub(crate) fn from_abi(raw: &'a (dyn abi::Sink + 'a)) -> Output<'a> {
        Output { raw }
    }

    /// Writes `bytes` at byte `offset` of slot `slot` of the plan. Any order, any thread; ranges must not overlap and
    /// together must cover the slot.
    pub fn write(&self, slot: usize, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.raw.write(slot as u32, offset, bytes.into()).into_result()?)
    }

    /// Hands back whole rows of a source tensor as the output will reproduce them.
    ///
    /// Levels whose later layers see quantized weights must do this for every linear; for others it is optional. Where all
    /// rows of a tensor came back once, the host reads the finished output again and compares them, every bit.
    pub fn feedback(&self, tensor: usize, first_row: usize, rows: &[f32]) -> Result<(), Error> {
        Ok(self.raw.feedback(tensor as u32, first_row as u64, rows.into()).into_result()?)
    }
}
