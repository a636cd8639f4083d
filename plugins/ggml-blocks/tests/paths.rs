//! Every path that this processor has gives the bytes of the scalar one, on all kinds of rows and on random blocks;
//! `emulator/` lets paths be compared that it lacks.
#![allow(clippy::print_stderr, reason = "says which paths were compared")]

#[path = "live/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::fmt::Debug;

use llmq_ggml_blocks::*;
use rows::{IMPORTANCE, KINDS, Random};

/// What differs from the first path: per type and path how often, and the first time in full.
#[derive(Default)]
struct Differences(BTreeMap<String, (usize, String)>);

impl Differences {
    fn compare<T: PartialEq + Debug>(&mut self, ty: BlockType, path: Path, what: &str, first: &[T], other: &[T]) {
        assert_eq!(first.len(), other.len());
        let Some(at) = first.iter().zip(other).position(|(a, b)| a != b) else { return };
        let (times, _) = self.0.entry(format!("{ty:?} on {path}")).or_insert_with(|| {
            let all = first.iter().zip(other).filter(|(a, b)| a != b).count();
            (0, format!("{what}: {all} of {}, at {at} {:x?} not {:x?}", other.len(), other[at], first[at]))
        });
        *times += 1;
    }

    /// All at once, so that one run in an emulator tells everything.
    fn must_be_none(self) {
        let lines: Vec<_> = self.0.iter().map(|(of, (times, first))| format!("{of}: {times} times; {first}")).collect();
        assert!(lines.is_empty(), "not what the first path gives:\n{}", lines.join("\n"));
    }
}

/// All that this processor has, the scalar one first; of them those that `LLMQ_PATHS` names, if it is set, because in
/// an emulator the scalar path takes long. The others are compared with the first.
fn paths() -> Vec<Path> {
    let named = std::env::var("LLMQ_PATHS").ok();
    let is_named = |path: &Path| named.as_ref().is_none_or(|names| names.split(',').any(|name| name == path.name()));
    let (have, lack): (Vec<_>, Vec<_>) = Path::ALL.into_iter().filter(is_named).partition(|path| path.is_available());
    if !lack.is_empty() {
        eprintln!("SKIPPED: this processor lacks {lack:?}");
    }
    assert!(have.len() > 1, "nothing to compare: {have:?}");
    have
}

#[test]
fn all_paths_write_the_same_bytes() {
    let paths = paths();
    let mut differences = Differences::default();
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize()) {
        // Odd numbers of blocks and of super-blocks, so that what is done side by side has a rest.
        let cols = if ty.block_len() <= 32 { 9 * 32 } else { 3 * ty.block_len() };
        let mut random = Random::new(u64::from(ty.id()));
        for (k, kind) in KINDS.iter().enumerate() {
            let x: Vec<f32> = (0..3).flat_map(|_| rows::row(&mut random, cols, kind)).collect();
            let size = 3 * ty.row_bytes(cols as u64).unwrap() as usize;
            let importance = rows::importance(&mut random, cols, IMPORTANCE[k % IMPORTANCE.len()]);
            for q in [Some(importance), None].into_iter().filter(|q| q.is_some() || !ty.needs_importance()) {
                let (mut first, mut other) = (vec![0x55; size], vec![0xaa; size]);
                quantize_rows_on(paths[0], ty, &x, cols, q.as_deref(), &mut first).unwrap();
                for &path in &paths[1..] {
                    quantize_rows_on(path, ty, &x, cols, q.as_deref(), &mut other).unwrap();
                    let what = format!("{kind} rows, importance: {}", q.is_some());
                    differences.compare(ty, path, &what, &first, &other);
                }
            }
        }
    }
    differences.must_be_none();
}

#[test]
fn all_paths_read_the_same_weights() {
    let paths = paths();
    let mut differences = Differences::default();
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_dequantize()) {
        let mut random = Random::new(u64::from(ty.id()) + 1);
        let blocks = 301;
        let bytes: Vec<u8> = (0..blocks * ty.block_bytes()).map(|_| random.bits() as u8).collect();
        let read = |path| {
            let mut weights = vec![0.0f32; blocks * ty.block_len()];
            dequantize_rows_on(path, ty, &bytes, ty.block_len(), &mut weights).unwrap();
            // NaN is NaN, whatever its bits.
            weights.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect::<Vec<_>>()
        };
        let first = read(paths[0]);
        for &path in &paths[1..] {
            differences.compare(ty, path, "random blocks", &first, &read(path));
        }
    }
    differences.must_be_none();
}

#[test]
fn a_path_that_is_missing_is_refused() {
    for path in Path::ALL.into_iter().filter(|path| !path.is_available()) {
        let refused = quantize_rows_on(path, BlockType::F16, &[1.0], 1, None, &mut [0; 2]);
        assert_eq!(refused, Err(BlockError::PathMissing(path)));
        let refused = dequantize_rows_on(path, BlockType::F16, &[0; 2], 1, &mut [0.0]);
        assert_eq!(refused, Err(BlockError::PathMissing(path)));
    }
}
