//! A reader of the protobuf wire format, as much of it as SentencePiece files use.
//!
//! Nothing is allocated: every field is a slice of the input, so the input bounds all work.

use super::VocabError;

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1: eight bytes, here never needed by value.
    Fixed64,
    /// Wire type 2: a string, bytes or a message, with its offset in the file.
    Bytes(&'a [u8], usize),
    /// Wire type 5: four bytes, little endian.
    Fixed32(u32),
}

/// Walks over the fields of one message.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Fields<'a> {
    /// `base` is the message's offset in the file, for error messages.
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    fn fail(&self, reason: &'static str) -> VocabError {
        VocabError::Protobuf { reason, offset: self.base.saturating_add(self.at) }
    }

    fn varint(&mut self) -> Result<u64, VocabError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.fail("the file ends inside a number"))?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.fail("a number exceeds 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.fail("a number exceeds 64 bits"))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], VocabError> {
        let rest = &self.bytes[self.at..];
        let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
        let count = count.ok_or_else(|| self.fail("a field is longer than the rest of its message"))?;
        self.at += count;
        Ok(&rest[..count])
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), VocabError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err(self.fail("field number 0"));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Field::Fixed64
            }
            2 => {
                let length = self.varint()?;
                let at = self.base.saturating_add(self.at);
                Field::Bytes(self.take(length)?, at)
            }
            5 => {
                let bytes = self.take(4)?;
                Field::Fixed32(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            _ => return Err(self.fail("an unknown wire type")),
        };
        Ok((number, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), VocabError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let item = self.field();
        if item.is_err() {
            self.at = self.bytes.len();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_of_each_wire_type_are_read() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let fields: Vec<_> = Fields::new(&bytes, 0).map(Result::unwrap).collect();
        let expected = [(1, Field::Varint(150)), (2, Field::Bytes(b"hi", 5)), (3, Field::Fixed32(1.0_f32.to_bits()))];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_with_its_place() {
        let bytes = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let error = Fields::new(&bytes, 100).next().unwrap().unwrap_err();
        assert!(matches!(error, VocabError::Protobuf { offset: 110, .. }), "{error}");
    }

    #[test]
    fn an_overlong_number_is_an_error() {
        let error = Fields::new(&[0xff; 12], 0).next().unwrap().unwrap_err();
        assert!(error.to_string().contains("64 bits"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_fields_or_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let items: Vec<_> = Fields::new(&bytes, 0).collect();
            prop_assert!(items.len() <= bytes.len());
            prop_assert!(items.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
