//! Test material: the smallest shared library that an object reader accepts, written byte by byte.

/// Parts of a library that tests vary.
pub struct FakeElf<'a> {
    /// Contents of the manifest section; nothing = no such section.
    pub manifest: Option<&'a [u8]>,
    /// ELF machine number.
    pub machine: u16,
    /// ELF type: 3 = shared library, 1 = relocatable.
    pub kind: u16,
}

/// ELF machine number of the running program.
pub const OURS: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// A library with a manifest text.
pub fn library(manifest: &str) -> Vec<u8> {
    FakeElf { manifest: Some(manifest.as_bytes()), machine: OURS, kind: 3 }.bytes()
}

/// A manifest text.
pub fn manifest(id: &str, api: &str, formats: &[&str]) -> String {
    let formats = serde_json::to_string(formats).unwrap();
    format!(r#"{{"v":1,"id":"{id}","version":"0.1.0","api":"{api}","formats":{formats},"summary":"a test"}}"#)
}

impl FakeElf<'_> {
    /// Header, one program header over everything, section contents, section table.
    pub fn bytes(&self) -> Vec<u8> {
        const NAMES: &[u8] = b"\0.shstrtab\0.llmq.manifest\0";
        let note = self.manifest.unwrap_or_default();
        let (names_at, note_at) = (64 + 56, 64 + 56 + NAMES.len());
        let table_at = (note_at + note.len()).next_multiple_of(8);
        let sections: u16 = if self.manifest.is_some() { 3 } else { 2 };
        let total = (table_at + 64 * sections as usize) as u64;

        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        for half in [self.kind, self.machine] {
            out.extend(half.to_le_bytes());
        }
        out.extend(1u32.to_le_bytes());
        for word in [0u64, 64, table_at as u64] {
            out.extend(word.to_le_bytes());
        }
        out.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, sections, 1] {
            out.extend(half.to_le_bytes());
        }
        out.extend([1u32.to_le_bytes(), 4u32.to_le_bytes()].concat()); // PT_LOAD, readable
        for word in [0u64, 0, 0, total, total, 4096] {
            out.extend(word.to_le_bytes());
        }
        out.extend(NAMES);
        out.extend(note);
        out.resize(table_at, 0);
        out.extend(section(0, 0, 0, 0));
        out.extend(section(1, 3, names_at, NAMES.len()));
        if self.manifest.is_some() {
            out.extend(section(11, 1, note_at, note.len()));
        }
        out
    }
}

fn section(name: u32, kind: u32, offset: usize, size: usize) -> Vec<u8> {
    let mut out = [name.to_le_bytes(), kind.to_le_bytes()].concat();
    for word in [0u64, 0, offset as u64, size as u64, 0, 1, 0] {
        out.extend(word.to_le_bytes());
    }
    out
}
