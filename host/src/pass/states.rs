//! Hidden states of all samples: in memory, or in a file without a name where memory is short.

use crate::failure::{Class, Failure};
use llmq_forward::Rows;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// How much memory hidden states may take, and where they go if they need more.
#[derive(Debug, Clone)]
pub struct Room {
    /// Bytes.
    pub memory: u64,
    /// Folder of the file.
    pub folder: PathBuf,
}

impl Room {
    /// For the states of each of `models`: together half of the limit, else half of what the machine has left.
    pub fn new(memory_limit: Option<u64>, models: u64) -> Room {
        let all = memory_limit.or_else(crate::memory::available).unwrap_or(4 << 30);
        Room { memory: all / 2 / models, folder: std::env::temp_dir() }
    }
}

/// A row per token.
pub struct States {
    width: usize,
    store: Store,
}

enum Store {
    Memory(Vec<f32>),
    File(File),
}

impl States {
    /// Room for `tokens` rows of `width` numbers.
    pub fn new(tokens: usize, width: usize, room: &Room) -> Result<States, Failure> {
        let bytes = (tokens as u64).saturating_mul(width as u64).saturating_mul(4);
        let store = if bytes <= room.memory {
            Store::Memory(vec![0.0; tokens * width])
        } else {
            let failed = |e: std::io::Error| {
                let message = format!(
                    "hidden states of {tokens} tokens need {bytes} bytes, {} may be used of memory, and no file can be \
                     made for them in `{}`: {e}",
                    room.memory,
                    room.folder.display()
                );
                Failure::new(Class::OutOfMemory, message)
                    .suggest("Raise --memory-limit, or use fewer or shorter samples")
            };
            let file = tempfile::tempfile_in(&room.folder).map_err(failed)?;
            file.set_len(bytes).map_err(failed)?;
            Store::File(file)
        };
        Ok(States { width, store })
    }

    /// Whether they lie in a file.
    pub fn spilled(&self) -> bool {
        matches!(self.store, Store::File(_))
    }

    /// Rows from `first` on.
    pub fn read(&mut self, first: usize, rows: usize) -> Result<Rows, Failure> {
        match &mut self.store {
            Store::Memory(values) => {
                Ok(Rows { values: values[first * self.width..][..rows * self.width].to_vec(), columns: self.width })
            }
            Store::File(file) => {
                let mut out = Rows::zeros(rows, self.width);
                let place = SeekFrom::Start((first * self.width * 4) as u64);
                let read = file.seek(place).and_then(|_| file.read_exact(bytemuck::cast_slice_mut(&mut out.values)));
                read.map_err(spoiled)?;
                Ok(out)
            }
        }
    }

    /// Replaces rows from `first` on.
    pub fn write(&mut self, first: usize, rows: &Rows) -> Result<(), Failure> {
        match &mut self.store {
            Store::Memory(values) => values[first * self.width..][..rows.values.len()].copy_from_slice(&rows.values),
            Store::File(file) => {
                let place = SeekFrom::Start((first * self.width * 4) as u64);
                let written = file.seek(place).and_then(|_| file.write_all(bytemuck::cast_slice(&rows.values)));
                written.map_err(spoiled)?;
            }
        }
        Ok(())
    }
}

fn spoiled(error: std::io::Error) -> Failure {
    Failure::new(Class::General, format!("the file of hidden states cannot be used: {error}"))
        .suggest("Check the free space of the temporary folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_what_memory_gives() {
        let folder = std::env::temp_dir();
        for memory in [0, 1 << 20] {
            let mut states = States::new(5, 3, &Room { memory, folder: folder.clone() }).unwrap();
            assert_eq!(states.spilled(), memory == 0);
            let rows = Rows { values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], columns: 3 };
            states.write(2, &rows).unwrap();
            assert_eq!(states.read(2, 2).unwrap(), rows);
            assert_eq!(states.read(4, 1).unwrap(), Rows::zeros(1, 3));
        }
    }
}
