//! Working memory of chunks, handed from one chunk to the next: a fresh buffer costs more to clear than to fill.

use std::sync::{Mutex, PoisonError};

/// Buffers of one chunk at work.
#[derive(Default)]
pub(super) struct Scratch {
    weights: Vec<f32>,
    bytes: Vec<u8>,
}

impl Scratch {
    /// Room for so many weights and bytes, with whatever an earlier chunk left in it.
    pub(super) fn room(&mut self, weights: usize, bytes: usize) -> (&mut [f32], &mut [u8]) {
        (prefix(&mut self.weights, weights), prefix(&mut self.bytes, bytes))
    }
}

fn prefix<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        // Not more than asked for: the plan states the need per thread.
        buffer.reserve_exact(length - buffer.len());
        buffer.resize(length, T::default());
    }
    &mut buffer[..length]
}

/// Buffers that no chunk uses right now; never more than chunks were at work at the same time.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Vec<Scratch>>);

impl Shelf {
    /// Lends buffers to `work`.
    pub(super) fn lend<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = self.free().pop().unwrap_or_default();
        let result = work(&mut scratch);
        self.free().push(scratch);
        result
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_grow_only_as_asked() {
        let shelf = Shelf::default();
        shelf.lend(|outer| {
            outer.room(100, 10).0.fill(1.0);
            shelf.lend(|inner| assert_eq!(inner.room(3, 1).0, [0.0; 3]));
            assert_eq!(shelf.free().len(), 1);
        });
        assert_eq!(shelf.free().len(), 2);
        shelf.lend(|again| {
            assert_eq!(again.room(100, 20).0, [1.0; 100]);
            assert_eq!((again.weights.capacity(), again.bytes.capacity()), (100, 20));
        });
        assert_eq!(shelf.free().len(), 2);
    }
}
