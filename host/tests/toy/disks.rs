//! Disks that stop working between two operations, forget what was not flushed, or fill up.

use llm_quantize::job::{Disk, Storage};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

/// How a dying disk treats what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Everything written before is there: the process was killed.
    Killed,
    /// Half of the last write is there as well.
    Torn,
    /// What was not flushed is zeros: the power went.
    PowerCut,
}

/// A disk that refuses everything after a number of operations.
pub struct Dying {
    death: Death,
    state: Mutex<State>,
}

struct State {
    left: usize,
    done: usize,
    unflushed: Vec<(File, u64, usize)>,
}

impl Dying {
    pub fn after(operations: usize, death: Death) -> Dying {
        Dying { death, state: Mutex::new(State { left: operations, done: 0, unflushed: vec![] }) }
    }

    /// Operations that succeeded.
    pub fn done(&self) -> usize {
        self.state.lock().unwrap().done
    }

    /// Counts one operation; at the last one the unflushed bytes go if the power does.
    fn operation(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.state.lock().unwrap();
        if state.left == 0 {
            if self.death == Death::PowerCut {
                for (file, offset, length) in state.unflushed.drain(..) {
                    file.write_all_at(&vec![0; length], offset)?;
                }
            }
            return Err(io::Error::other("the disk is dead"));
        }
        state.left -= 1;
        state.done += 1;
        Ok(state)
    }
}

impl Storage for Dying {
    fn write_at(&self, file: &File, data: &[u8], offset: u64) -> io::Result<()> {
        match self.operation() {
            Ok(mut state) => {
                state.unflushed.push((file.try_clone()?, offset, data.len()));
                Disk.write_at(file, data, offset)
            }
            Err(dead) => {
                if self.death == Death::Torn {
                    Disk.write_at(file, &data[..data.len() / 2], offset)?;
                }
                Err(dead)
            }
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.operation()?;
        let id = |file: &File| file.metadata().map(|m| std::os::unix::fs::MetadataExt::ino(&m));
        let this = id(file)?;
        state.unflushed.retain(|(other, ..)| id(other).ok() != Some(this));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        drop(self.operation()?);
        Disk.rename(from, to)
    }
}

/// A disk on which `left` more bytes can be written.
pub struct Filling {
    left: Mutex<u64>,
    claims: bool,
}

impl Filling {
    /// `claims` = space is checked when files are created, as on most file systems; otherwise writes run into it.
    pub fn with(left: u64, claims: bool) -> Filling {
        Filling { left: Mutex::new(left), claims }
    }
}

impl Storage for Filling {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        match self.claims && bytes > *self.left.lock().unwrap() {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => file.set_len(bytes),
        }
    }

    fn write_at(&self, file: &File, data: &[u8], offset: u64) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        match left.checked_sub(data.len() as u64) {
            Some(rest) => {
                *left = rest;
                Disk.write_at(file, data, offset)
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// Says that all is well: these tests are about disks that others fill meanwhile.
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }
}

/// A disk that says how much is free.
pub struct Small(pub u64);

impl Storage for Small {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0)
    }
}
