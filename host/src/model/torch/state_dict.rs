//! From the finished dictionary to places of tensors in the file.

use super::objects::{Objects, Storage, Value, View};
use super::{Fault, damaged, unsupported};
use crate::model::stored::{MAX_TENSORS, StoredTensor, is_name};
use std::collections::HashSet;
use std::ops::Range;

/// Longest foreign word in an error, in characters.
const SHOWN: usize = 80;

/// The tensors of a state dictionary, sorted by name. `place` finds a storage in the file.
pub fn tensors<'a>(
    objects: &Objects<'a>,
    result: Value,
    place: impl Fn(&Storage<'a>) -> Result<Range<usize>, Fault>,
) -> Result<Vec<StoredTensor>, Fault> {
    let Value::Dict(dict) = result else {
        return Err(unsupported(format!("holds {}, not a dictionary of tensors", result.kind())));
    };
    let entries = &objects.dicts[dict];
    if entries.len() > MAX_TENSORS {
        return Err(damaged(format!("holds {} tensors; at most {MAX_TENSORS} are accepted", entries.len())));
    }
    let mut seen = HashSet::with_capacity(entries.len());
    let mut tensors = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = objects.text(*key).filter(|name| is_name(name));
        let name =
            name.ok_or_else(|| damaged("holds an entry whose name is no text, empty, too long or unprintable"))?;
        if !seen.insert(name) {
            return Err(damaged(format!("holds `{name}` twice")));
        }
        let Value::Tensor(at) = value else {
            let kind = value.kind();
            return Err(unsupported(format!("holds {kind} under `{}`; only tensors are read", shown(name))));
        };
        let view = &objects.tensors[*at];
        let storage = &objects.storages[view.storage];
        let range = place(storage)?;
        tensors.push(locate(name, view, range).map_err(|f| f.map(|p| format!("tensor `{}` {p}", shown(name))))?);
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// A word of the file as an error shows it.
pub fn shown(word: &str) -> String {
    word.escape_debug().take(SHOWN).collect()
}

/// Bytes that a storage takes.
pub fn byte_length(storage: &Storage<'_>) -> Option<usize> {
    let size = storage.dtype.map_or(1, |dtype| dtype.bitsize() as u64 / 8);
    usize::try_from(storage.elements.checked_mul(size)?).ok()
}

/// A view inside its storage, which lies at `storage` in the file.
fn locate(name: &str, view: &View, storage: Range<usize>) -> Result<StoredTensor, Fault> {
    let View { dtype, offset, shape, strides, .. } = view;
    let size = dtype.bitsize() as u64 / 8;
    let impossible = || damaged(format!("has an impossible size: {shape:?} of {dtype} with strides {strides:?}"));
    // The product is checked even for strided tensors, whose elements may share bytes: rows and columns count on it.
    let elements = shape.iter().try_fold(size, |product, d| product.checked_mul(*d)).ok_or_else(impossible)?;
    let span = if elements == 0 {
        0
    } else {
        let steps = shape.iter().zip(strides);
        let last = steps.clone().try_fold(0u64, |sum, (d, s)| sum.checked_add((d - 1).checked_mul(*s)?));
        last.and_then(|last| last.checked_add(1)?.checked_mul(size)).ok_or_else(impossible)?
    };
    let begin = offset.checked_mul(size).ok_or_else(impossible)?;
    let end = begin.checked_add(span).ok_or_else(impossible)?;
    let held = storage.len() as u64;
    if end > held {
        return Err(damaged(format!("ends at byte {end} of its storage, which has {held}")));
    }
    // Inside a slice, so the casts hold on every platform.
    let range = storage.start + begin as usize..storage.start + end as usize;
    let strides = (elements != 0 && !is_row_major(shape, strides)).then(|| strides.clone());
    Ok(StoredTensor { name: name.to_owned(), dtype: *dtype, shape: shape.clone(), range, strides })
}

fn is_row_major(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1;
    for (d, s) in shape.iter().zip(strides).rev() {
        // A single element has no neighbour, so its stride says nothing.
        if *d != 1 && *s != expected {
            return false;
        }
        expected *= d;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;

    fn at(offset: u64, shape: &[u64], strides: &[u64]) -> Result<StoredTensor, Fault> {
        let view = View { storage: 0, dtype: Dtype::BF16, offset, shape: shape.into(), strides: strides.into() };
        locate("w", &view, 100..148)
    }

    #[test]
    fn views_lie_inside_their_storage() {
        let whole = at(0, &[4, 6], &[6, 1]).unwrap();
        assert_eq!((whole.range, whole.strides), (100..148, None));
        let part = at(6, &[3, 1, 6], &[6, 999, 1]).unwrap();
        assert_eq!((part.range, part.strides), (112..148, None));
        let transposed = at(0, &[6, 4], &[1, 6]).unwrap();
        assert_eq!((transposed.range, transposed.strides), (100..148, Some(vec![1, 6])));
        let expanded = at(23, &[1000, 1], &[0, 1]).unwrap();
        assert_eq!((expanded.range, expanded.strides), (146..148, Some(vec![0, 1])));
        assert_eq!(at(24, &[0, 6], &[6, 1]).unwrap().range, 148..148);
        assert_eq!(at(23, &[], &[]).unwrap().range, 146..148);
    }

    #[test]
    fn views_that_reach_out_are_refused() {
        for (offset, shape, strides) in [
            (1, &[4, 6][..], &[6, 1][..]),
            (25, &[0], &[1]),
            (0, &[5, 6], &[6, 1]),
            (0, &[2], &[24]),
            (u64::MAX, &[1], &[1]),
            (0, &[u64::MAX, 2], &[0, 0]),
            (0, &[3, 2], &[u64::MAX / 2, 1]),
        ] {
            assert!(matches!(at(offset, shape, strides), Err(Fault::Damaged(_))), "{offset} {shape:?} {strides:?}");
        }
    }
}
