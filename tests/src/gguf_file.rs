//! A second, independent GGUF reader: the tests must not trust the reader of the backend they test.

use std::collections::BTreeMap;
use std::path::Path;

/// A tensor as the file states it.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Stored name.
    pub name: String,
    /// ggml type id.
    pub kind: u32,
    /// Dimensions, innermost first.
    pub dims: Vec<u64>,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A whole file in memory.
#[derive(Debug)]
pub struct GgufFile {
    /// Keys in file order with their type id and raw value bytes.
    pub keys: Vec<(String, u32, Vec<u8>)>,
    /// Tensors in file order.
    pub tensors: Vec<Tensor>,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let part = &self.bytes[self.at..self.at + n];
        self.at += n;
        part
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }
    fn string(&mut self) -> String {
        let n = self.u64() as usize;
        String::from_utf8(self.take(n).to_vec()).expect("UTF-8")
    }
    fn skip_value(&mut self, kind: u32) {
        match kind {
            0 | 1 | 7 => drop(self.take(1)),
            2 | 3 => drop(self.take(2)),
            4..=6 => drop(self.take(4)),
            10..=12 => drop(self.take(8)),
            // A value need not be UTF-8.
            8 => {
                let n = self.u64() as usize;
                self.take(n);
            }
            9 => {
                let (inner, n) = (self.u32(), self.u64());
                (0..n).for_each(|_| self.skip_value(inner));
            }
            other => panic!("value type {other}"),
        }
    }
}

/// (elements, bytes) per block, from the GGUF specification.
fn block(kind: u32) -> (u64, u64) {
    match kind {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        16 | 35 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        20 => (32, 18),
        21 => (256, 110),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        34 => (256, 54),
        39 => (32, 17),
        other => panic!("ggml type {other}"),
    }
}

impl GgufFile {
    /// Reads and checks a file: version 3, offsets exactly sequential, nothing behind the last tensor.
    pub fn read(path: &Path) -> GgufFile {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut c = Cursor { bytes: &bytes, at: 0 };
        assert_eq!(c.take(4), b"GGUF");
        assert_eq!(c.u32(), 3);
        let (tensor_count, key_count) = (c.u64(), c.u64());
        let mut keys = Vec::new();
        for _ in 0..key_count {
            let (key, kind, start) = (c.string(), c.u32(), c.at);
            c.skip_value(kind);
            keys.push((key, kind, bytes[start..c.at].to_vec()));
        }
        let mut infos = Vec::new();
        for _ in 0..tensor_count {
            let name = c.string();
            let dims: Vec<u64> = (0..c.u32()).map(|_| c.u64()).collect();
            infos.push((name, dims, c.u32(), c.u64()));
        }
        let base = c.at.next_multiple_of(32);
        let mut expected = 0u64;
        let mut tensors = Vec::new();
        for (name, dims, kind, offset) in infos {
            assert_eq!(offset, expected, "offset of {name}");
            let (elements, size) = block(kind);
            assert_eq!(dims[0] % elements, 0, "row length of {name}");
            let length = dims.iter().product::<u64>() / elements * size;
            let start = base + offset as usize;
            tensors.push(Tensor { name, kind, dims, data: bytes[start..start + length as usize].to_vec() });
            expected = (offset + length).next_multiple_of(32);
        }
        assert_eq!(bytes.len() as u64, base as u64 + expected, "file length");
        GgufFile { keys, tensors }
    }

    /// First 24 hex digits of the sha256 of every tensor, by name.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        use sha2::{Digest, Sha256};
        let hash = |t: &Tensor| Sha256::digest(&t.data).iter().take(12).map(|b| format!("{b:02x}")).collect();
        self.tensors.iter().map(|t| (t.name.clone(), hash(t))).collect()
    }

    /// A string value.
    pub fn string(&self, key: &str) -> Option<String> {
        let (_, kind, raw) = self.keys.iter().find(|(k, ..)| k == key)?;
        (*kind == 8).then(|| String::from_utf8_lossy(&raw[8..]).into_owned())
    }
}
