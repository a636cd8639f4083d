//! The stack machine of the pickle format, reduced to the operations that `torch.save` uses for tensors.

use super::globals::lookup;
use super::objects::{Objects, Value};
use super::rebuild::{call, storage_of};
use super::{Fault, damaged, unsupported};
use std::collections::HashMap;

/// Longest name in an error, in characters.
const SHOWN: usize = 80;
/// Newest version of the pickle format.
const NEWEST_PROTOCOL: u8 = 5;

/// Runs the pickle that begins at `start` and adds to `objects` what it makes. Gives the result and the position
/// behind its last operation. Memory stays in proportion to the pickle's length, and nothing recurses.
pub fn run<'a>(bytes: &'a [u8], start: usize, objects: &mut Objects<'a>) -> Result<(Value, usize), Fault> {
    let mut machine = Machine { bytes, at: start, objects, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let operation = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(result)) => return Ok((result, machine.at)),
            Err(fault) => return Err(fault.map(|problem| format!("{problem} (pickle, byte {})", operation - start))),
        }
    }
}

struct Machine<'a, 'o> {
    bytes: &'a [u8],
    at: usize,
    objects: &'o mut Objects<'a>,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl<'a> Machine<'a, '_> {
    /// One operation; the result of the whole pickle at its end.
    fn step(&mut self) -> Result<Option<Value>, Fault> {
        match self.byte()? {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            // A frame only announces a length.
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'K' => {
                let number = self.byte()?;
                self.stack.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => {
                let number = self.long()?;
                self.stack.push(number);
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Number);
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(length as usize)?;
            }
            0x8c | b'U' => {
                let length = self.byte()?;
                self.text(length.into())?;
            }
            b')' => self.tuple(Vec::new()),
            0x85 => self.tuple_of(1)?,
            0x86 => self.tuple_of(2)?,
            0x87 => self.tuple_of(3)?,
            b't' => {
                let values = self.pop_to_mark()?;
                self.tuple(values);
            }
            b']' => {
                self.objects.sequences.push(Vec::new());
                self.stack.push(Value::List(self.objects.sequences.len() - 1));
            }
            b'}' => {
                let dict = self.objects.new_dict(Vec::new());
                self.stack.push(dict);
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])?;
            }
            b'e' => {
                let values = self.pop_to_mark()?;
                self.append(values)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.insert(vec![key, value])?;
            }
            b'u' => {
                let values = self.pop_to_mark()?;
                self.insert(values)?;
            }
            b'q' => {
                let place = self.byte()?;
                self.keep(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.keep(place)?;
            }
            // Bounded by the length of the pickle, far below 2^32 in any file that memory can map.
            0x94 => self.keep(u32::try_from(self.memo.len()).map_err(|_| damaged("holds too many objects"))?)?,
            b'h' => {
                let place = self.byte()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.objects.text(module), self.objects.text(name)) else {
                    return Err(damaged("asks for a class whose name is no text"));
                };
                self.global(module, name)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = storage_of(self.objects, id)?;
                self.stack.push(storage);
            }
            b'R' => {
                let arguments = self.pop()?;
                let Value::Global(function) = self.pop()? else {
                    return Err(damaged("calls what is no function"));
                };
                let result = call(self.objects, function, arguments)?;
                self.stack.push(result);
            }
            b'b' => self.build()?,
            other => {
                return Err(unsupported(format!(
                    "uses the pickle operation 0x{other:02x}{}, which weights do not need; it was not executed",
                    named(other)
                )));
            }
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            return Err(damaged(format!("ends {} bytes too early", count - rest.len())));
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.first_chunk().copied().ok_or_else(|| damaged("ends too early"))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn protocol(&mut self) -> Result<(), Fault> {
        match self.byte()? {
            0..=NEWEST_PROTOCOL => Ok(()),
            other => Err(unsupported(format!("is a pickle of version {other}; {NEWEST_PROTOCOL} is the newest known"))),
        }
    }

    /// A line of text without its end.
    fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(damaged("ends inside a name"));
        };
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| damaged("holds a name that is no UTF-8 text"))
    }

    /// A number of any length; those beyond 64 bits lose their value.
    fn long(&mut self) -> Result<Value, Fault> {
        let length = self.byte()?.into();
        let bytes = self.take(length)?;
        if length > 8 {
            return Ok(Value::Number);
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        number[..length].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(number)))
    }

    fn text(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("holds a text that is no UTF-8"))?;
        self.objects.texts.push(text);
        self.stack.push(Value::Text(self.objects.texts.len() - 1));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        // What lies below a mark belongs to an unfinished collection.
        if self.marks.last().is_some_and(|mark| self.stack.len() <= *mark) {
            return Err(damaged("takes a value across a mark"));
        }
        self.stack.pop().ok_or_else(|| damaged("takes a value from an empty stack"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| damaged("closes a collection that was not opened"))?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, values: Vec<Value>) {
        let tuple = self.objects.new_tuple(values);
        self.stack.push(tuple);
    }

    fn tuple_of(&mut self, count: usize) -> Result<(), Fault> {
        let mut values = vec![Value::None; count];
        for place in values.iter_mut().rev() {
            *place = self.pop()?;
        }
        self.tuple(values);
        Ok(())
    }

    fn append(&mut self, values: Vec<Value>) -> Result<(), Fault> {
        match self.stack.last() {
            Some(&Value::List(list)) => self.objects.sequences[list].extend(values),
            _ => return Err(damaged("appends to what is no list")),
        }
        Ok(())
    }

    fn insert(&mut self, values: Vec<Value>) -> Result<(), Fault> {
        let (pairs, rest) = values.as_chunks::<2>();
        match self.stack.last() {
            Some(&Value::Dict(dict)) if rest.is_empty() => {
                self.objects.dicts[dict].extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            Some(Value::Dict(_)) => Err(damaged("gives a dictionary a key without a value")),
            _ => Err(damaged("puts entries into what is no dictionary")),
        }
    }

    fn keep(&mut self, place: u32) -> Result<(), Fault> {
        let value = *self.stack.last().ok_or_else(|| damaged("remembers a value of an empty stack"))?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), Fault> {
        let value = self.memo.get(&place).copied();
        self.stack.push(value.ok_or_else(|| damaged(format!("refers to object {place}, which it did not make")))?);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let Some(global) = lookup(module, name) else {
            let shown: String = format!("{module}.{name}").escape_debug().take(SHOWN).collect();
            return Err(unsupported(format!(
                "asks for `{shown}`, which is not among the names that weights need; it was not executed"
            )));
        };
        self.stack.push(Value::Global(global));
        Ok(())
    }

    /// Attributes of an object. The state dictionary carries version numbers of modules there, no weights.
    fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        match (self.stack.last(), state) {
            (Some(Value::Dict(_)), Value::Dict(_)) => Ok(()),
            (Some(other), _) => {
                let kind = other.kind();
                Err(unsupported(format!("sets attributes of {kind}, which weights do not need; it was not executed")))
            }
            (None, _) => Err(damaged("sets attributes of nothing")),
        }
    }
}

/// Names of operations that make or call objects: these are what a refused file is most likely to be asked about.
fn named(operation: u8) -> &'static str {
    match operation {
        b'i' => " (INST)",
        b'o' => " (OBJ)",
        b'P' => " (PERSID)",
        0x81 => " (NEWOBJ)",
        0x82..=0x84 => " (EXT)",
        0x92 => " (NEWOBJ_EX)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(bytes: &[u8]) -> Result<Value, Fault> {
        run(bytes, 0, &mut Objects::default()).map(|(value, _)| value)
    }

    #[test]
    fn numbers_of_every_width() {
        for (pickle, number) in [
            (&b"K\xff."[..], 255),
            (b"M\xff\xff.", 65535),
            (b"J\xff\xff\xff\xff.", -1),
            (b"\x8a\x00.", 0),
            (b"\x8a\x01\xff.", -1),
            (b"\x8a\x05\x00\x00\x00\x00\x01.", 1 << 32),
        ] {
            assert_eq!(result(pickle), Ok(Value::Int(number)), "{pickle:?}");
        }
        assert_eq!(result(b"\x8a\x09123456789."), Ok(Value::Number));
    }

    #[test]
    fn what_is_not_on_the_lists_is_named() {
        let refused = |pickle: &[u8]| match result(pickle) {
            Err(Fault::Unsupported(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert!(refused(b"cos\nsystem\n(X\x02\x00\x00\x00lstR.").contains("`os.system`"));
        assert!(refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").contains("`builtins.eval`"));
        assert!(refused(b"ctorch\nload\n.").contains("`torch.load`"));
        assert!(refused(b"(ios\nsystem\n.").contains("0x69 (INST)"));
        assert!(refused(b"ccollections\nOrderedDict\n)\x81.").contains("0x81 (NEWOBJ)"));
        assert!(refused(b")}b.").contains("sets attributes of a tuple"));
        assert!(refused(b"\x80\x09.").contains("version 9"));
        let long = [b"c".as_slice(), &[b'x'; 5000], b"\nf\n."].concat();
        assert!(refused(&long).len() < 200);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        for (pickle, words) in [
            (&b""[..], "1 bytes too early (pickle, byte 0)"),
            (b".", "empty stack"),
            (b"(.", "across a mark"),
            (b"t.", "not opened"),
            (b"NNa.", "no list"),
            (b"NNNs.", "no dictionary"),
            (b"}(Nu.", "without a value"),
            (b"h\x05.", "object 5"),
            (b"NNR.", "no function"),
            (b"X\xff\xff\xff\xffabc", "too early"),
            (b"X\x01\x00\x00\x00\xff.", "no UTF-8"),
            (b"cos", "inside a name"),
        ] {
            match result(pickle) {
                Err(Fault::Damaged(problem)) => assert!(problem.contains(words), "{pickle:?}: {problem}"),
                other => panic!("{pickle:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn depth_and_knots_cost_nothing() {
        let deep = [vec![b'('; 1 << 20], vec![b't'; 1 << 20], b".".to_vec()].concat();
        assert!(matches!(result(&deep), Ok(Value::Tuple(_))));
        // A list that holds itself.
        assert!(matches!(result(b"]q\x00h\x00a."), Ok(Value::List(0))));
    }
}
