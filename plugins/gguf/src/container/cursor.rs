//! Bounded reads from hostile bytes: every length is compared with what is left before anything is allocated.

use super::ContainerError;

/// A position in the head of a file.
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Cursor<'a> {
        Cursor { data, at: 0 }
    }

    pub(super) fn at(&self) -> u64 {
        self.at as u64
    }

    pub(super) fn left(&self) -> u64 {
        (self.data.len() - self.at) as u64
    }

    /// Refuses a claim of `count` things of at least `each` bytes that cannot be in the file.
    pub(super) fn expect(&self, what: &'static str, count: u64, each: u64) -> Result<(), ContainerError> {
        let wanted = count.saturating_mul(each);
        if wanted > self.left() {
            return Err(ContainerError::Truncated { what, at: self.at(), wanted, left: self.left() });
        }
        Ok(())
    }

    pub(super) fn take(&mut self, what: &'static str, bytes: u64) -> Result<&'a [u8], ContainerError> {
        self.expect(what, bytes, 1)?;
        let end = self.at + bytes as usize;
        let slice = &self.data[self.at..end];
        self.at = end;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ContainerError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(what, N as u64)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, ContainerError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, ContainerError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A text: 64-bit length, then the bytes.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a [u8], ContainerError> {
        let length = self.u64(what)?;
        self.take(what, length)
    }

    /// `count` numbers of `N` bytes.
    pub(super) fn numbers<const N: usize, T>(
        &mut self,
        count: u64,
        one: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ContainerError> {
        self.expect("an array", count, N as u64)?;
        let bytes = self.take("an array", count * N as u64)?;
        Ok(bytes.as_chunks::<N>().0.iter().map(|chunk| one(*chunk)).collect())
    }
}
