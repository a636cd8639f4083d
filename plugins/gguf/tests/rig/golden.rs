//! Expected tensors, committed as text: `level NAME FILE_BYTES`, then `TENSOR ENCODING SHA256_PREFIX` in file order.

use super::{Output, sha256};

pub struct Level<'a> {
    pub name: &'a str,
    pub file_bytes: usize,
    /// Name, encoding, first 24 digits of the hash.
    pub tensors: Vec<[&'a str; 3]>,
}

pub fn parse(text: &str) -> Vec<Level<'_>> {
    let mut levels: Vec<Level> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["level", name, bytes] => {
                levels.push(Level { name, file_bytes: bytes.parse().unwrap(), tensors: Vec::new() })
            }
            [name, encoding, hash] => levels.last_mut().unwrap().tensors.push([name, encoding, hash]),
            _ => panic!("{line}"),
        }
    }
    levels
}

impl Level<'_> {
    /// What differs between a file and this level, line by line.
    pub fn differences(&self, output: &Output) -> Vec<String> {
        let mut found: Vec<[String; 3]> = Vec::new();
        for slot in &output.plan.slots {
            let (encoding, bytes) = output.tensor(&slot.name).unwrap();
            found.push([slot.name.clone(), encoding.to_owned(), sha256(bytes)[..24].to_owned()]);
        }
        let pairs = found.iter().zip(&self.tensors).filter(|(found, expected)| *found != *expected);
        let mut out: Vec<String> = pairs.map(|(f, e)| format!("{}: {f:?}, not {e:?}", self.name)).collect();
        if found.len() != self.tensors.len() {
            out.push(format!("{}: {} tensors, not {}", self.name, found.len(), self.tensors.len()));
        }
        out
    }
}
