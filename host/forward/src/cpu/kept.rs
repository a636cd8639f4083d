//! Small matrices, cut into pieces for tile registers, that serve batch after batch.

use crate::Linear;
use llmq_tiles::Right;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept: the pieces of a layer of 16 M weights in bf16.
const KEPT: usize = 32 << 20;

/// Matrices that were cut into pieces, the oldest first.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<(Linear, Arc<Right>)>>);

impl Kept {
    /// A matrix's pieces: those that are kept, else new ones of `make`, which are kept if they are not too large.
    pub(super) fn get<E>(&self, linear: &Linear, make: impl FnOnce() -> Result<Right, E>) -> Result<Arc<Right>, E> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, right)) = lock().iter().find(|(kept, _)| kept == linear) {
            return Ok(Arc::clone(right));
        }
        let right = Arc::new(make()?);
        let mut kept = lock();
        kept.push((*linear, Arc::clone(&right)));
        let mut bytes: usize = kept.iter().map(|(_, right)| right.held_bytes()).sum();
        while bytes > KEPT {
            bytes -= kept.remove(0).1.held_bytes();
        }
        Ok(right)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(kept.iter().map(|(linear, _)| linear)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Storage;
    use faer::MatRef;
    use llmq_tiles::Precision;

    #[test]
    fn what_is_kept_is_not_made_again_and_stays_bounded() {
        let kept = Kept::default();
        let values = vec![1.0f32; 1 << 20];
        let matrix = MatRef::from_row_major_slice(&values, 1 << 10, 1 << 10);
        let linear = |weight| Linear {
            weight,
            first_row: 0,
            storage: Storage::OutputRows,
            inputs: 1 << 10,
            outputs: 1 << 10,
            bias: None,
        };
        let mut made = 0;
        let mut get = |weight| {
            let make = || {
                made += 1;
                let mut right = Right::default();
                right.fill(matrix, Precision::Bits16);
                Ok::<Right, ()>(right)
            };
            let bytes = kept.get(&linear(weight), make).unwrap().held_bytes();
            (bytes, made)
        };
        assert_eq!(get(1), (2 << 20, 1));
        assert_eq!((get(1).1, get(2).1, get(1).1), (1, 2, 2));
        for weight in 3..=17 {
            get(weight);
        }
        // Sixteen have room; the oldest went.
        assert_eq!((get(17).1, get(2).1, get(1).1), (17, 17, 18));
    }
}
