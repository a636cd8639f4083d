//! Walks Thrift's compact encoding without building anything: Parquet's own reader takes memory for every count that a
//! file states, so counts are checked against the bytes that are there before it sees them.

/// Nesting that Parquet's structures stay far below.
const MAX_DEPTH: u32 = 24;

/// Why bytes are no such structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end within the structure.
    Cut,
    /// A count, length or type that cannot be.
    Wrong(&'static str),
}

/// What stands in the outermost structure, and in the structures that are its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its length in bytes.
    pub length: usize,
    /// Its integers and truth values, by field.
    pub integers: Vec<(i16, i64)>,
    /// The number of elements of its lists, by field.
    pub lists: Vec<(i16, usize)>,
    /// The structures in it, by field; theirs are not kept.
    pub structures: Vec<(i16, Outline)>,
}

impl Outline {
    /// Walks the structure at the beginning of `bytes`.
    ///
    /// # Errors
    /// [`Fault::Cut`] where more bytes might help.
    pub fn of(bytes: &[u8]) -> Result<Outline, Fault> {
        let mut walker = Walker { bytes, at: 0 };
        let mut outline = Outline::default();
        walker.structure(MAX_DEPTH, Some((&mut outline, true)))?;
        outline.length = walker.at;
        Ok(outline)
    }

    /// An integer field.
    pub fn integer(&self, field: i16) -> Option<i64> {
        self.integers.iter().find(|(id, _)| *id == field).map(|(_, value)| *value)
    }

    /// A structure field.
    pub fn structure(&self, field: i16) -> Option<&Outline> {
        self.structures.iter().find(|(id, _)| *id == field).map(|(_, outline)| outline)
    }

    /// The number of elements of a list field.
    pub fn list(&self, field: i16) -> Option<usize> {
        self.lists.iter().find(|(id, _)| *id == field).map(|(_, count)| *count)
    }
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walker<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, length: u64) -> Result<(), Fault> {
        let left = (self.bytes.len() - self.at) as u64;
        if length > left {
            return Err(Fault::Cut);
        }
        self.at += length as usize;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Wrong("an integer of more than 64 bits"))
    }

    fn zigzag(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Walks a structure; `outline` takes what is in it, and whether the structures in it are kept too.
    fn structure(&mut self, depth: u32, mut outline: Option<(&mut Outline, bool)>) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Wrong("structures nested too deep"))?;
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let delta = i16::from(head >> 4);
            let next = if delta == 0 { i16::try_from(self.zigzag()?).ok() } else { id.checked_add(delta) };
            id = next.ok_or(Fault::Wrong("a field number out of range"))?;
            match (head & 0x0f, &mut outline) {
                (kind @ (1 | 2), Some((outline, _))) => outline.integers.push((id, i64::from(kind == 1))),
                (1 | 2, None) => {}
                (4..=6, Some((outline, _))) => {
                    let value = self.zigzag()?;
                    outline.integers.push((id, value));
                }
                (9 | 10, Some((outline, _))) => {
                    let count = self.list(depth)?;
                    outline.lists.push((id, count));
                }
                (12, Some((outline, true))) => {
                    let mut inner = Outline::default();
                    self.structure(depth, Some((&mut inner, false)))?;
                    outline.structures.push((id, inner));
                }
                (kind, _) => self.value(kind, depth)?,
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<usize, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Wrong("lists nested too deep"))?;
        let head = self.byte()?;
        let (count, kind) = match head >> 4 {
            15 => (self.varint()?, head & 0x0f),
            count => (u64::from(count), head & 0x0f),
        };
        // Every element takes at least one byte.
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Fault::Cut);
        }
        for _ in 0..count {
            match kind {
                1 | 2 => self.skip(1)?,
                _ => self.value(kind, depth)?,
            }
        }
        Ok(count as usize)
    }

    fn value(&mut self, kind: u8, depth: u32) -> Result<(), Fault> {
        match kind {
            3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => self.list(depth).map(|_| ()),
            12 => self.structure(depth, None),
            // Maps do not occur in Parquet's structures.
            _ => Err(Fault::Wrong("a type that Parquet does not use")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_the_outermost_structure() {
        // 1: i32 = 3; 2: i32 = -1; 3: struct { 1: i64 = 5 }; 4: list of two bytes; 20: binary "ab".
        let bytes = [0x15, 6, 0x15, 1, 0x1c, 0x16, 10, 0, 0x19, 0x23, 7, 7, 0x08, 40, 2, b'a', b'b', 0, 99];
        let outline = Outline::of(&bytes).unwrap();
        assert_eq!(outline.integers, [(1, 3), (2, -1)]);
        assert_eq!(outline.structure(3).and_then(|s| s.integer(1)), Some(5));
        assert_eq!((outline.list(4), outline.length), (Some(2), bytes.len() - 1));
        for cut in 0..bytes.len() - 1 {
            assert_eq!(Outline::of(&bytes[..cut]), Err(Fault::Cut), "{cut}");
        }
    }

    #[test]
    fn counts_beyond_the_bytes_and_deep_nesting_are_refused() {
        assert_eq!(Outline::of(&[0x19, 0xf3, 0xff, 0xff, 0xff, 0x7f, 0]), Err(Fault::Cut));
        assert_eq!(Outline::of(&[0x18, 0xff, 0xff, 0xff, 0x7f, 0]), Err(Fault::Cut));
        assert!(matches!(Outline::of(&[0x1c; 4096]), Err(Fault::Wrong(_))));
        assert!(matches!(Outline::of(&[0x19; 4096]), Err(Fault::Wrong(_) | Fault::Cut)));
        assert!(matches!(
            Outline::of(&[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(Fault::Wrong(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_time(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(outline) = Outline::of(&bytes) {
                prop_assert!(outline.length <= bytes.len());
            }
        }
    }
}
