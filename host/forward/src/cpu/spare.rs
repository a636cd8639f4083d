//! Memory of matrices that are gone, for those that come.
//!
//! Measured: a small model spent a fifth of its time in clearing new matrices and in page faults for memory that had just
//! been handed back, another eighth in products that wrote to it.

use crate::Rows;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers that are kept in all: 64 MiB. Larger matrices are worth a page fault.
const KEPT: usize = 16 << 20;

static SPARE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// The kept memory; a thread that panicked within left it in order.
fn spare() -> MutexGuard<'static, Vec<Vec<f32>>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A matrix of any numbers: whoever takes it writes all of them.
pub(super) fn rows(count: usize, columns: usize) -> Rows {
    let numbers = count * columns;
    let mut spare = spare();
    // Neither too short nor twice as long as it need be; of equals the latest, which may still lie in a cache.
    let fits = |kept: &Vec<f32>| (numbers..=2 * numbers).contains(&kept.len());
    let found = spare.iter().enumerate().rev().filter(|(_, kept)| fits(kept)).min_by_key(|(_, kept)| kept.len());
    if let Some((index, _)) = found {
        let mut values = spare.remove(index);
        values.truncate(numbers);
        return Rows { values, columns };
    }
    drop(spare);
    Rows::zeros(count, columns)
}

/// Keeps a matrix's memory; the oldest goes where there is too much.
pub(super) fn discard(rows: Rows) {
    if rows.values.is_empty() || rows.values.capacity() > KEPT {
        return;
    }
    let mut spare = spare();
    spare.push(rows.values);
    let mut kept: usize = spare.iter().map(Vec::capacity).sum();
    while kept > KEPT {
        kept -= spare.remove(0).capacity();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_stays_bounded() {
        // Other tests keep matrices as well, but none of so odd a size.
        let odd = Rows { values: vec![7.0; 3 * 1_234_567], columns: 3 };
        let place = odd.values.as_ptr();
        discard(odd);
        let again = rows(1_234_567, 3);
        assert_eq!((again.values.as_ptr(), again.values.len(), again.columns), (place, 3 * 1_234_567, 3));
        discard(again);
        assert_eq!(rows(1_000_000, 3).values.as_ptr(), place, "a shorter one fits as well");
        for _ in 0..10 {
            discard(Rows::zeros(KEPT / 4, 1));
        }
        discard(Rows::zeros(KEPT + 1, 1));
        assert!(spare().iter().map(Vec::capacity).sum::<usize>() <= KEPT);
    }
}
