//! Whole rows cut into what the block codecs take at once: blocks, rows, super-blocks, pairs of super-blocks.
//!
//! The sizes have been checked, so no cut leaves a rest. These are macros because a codec handed over as a function
//! would be compiled on its own, without the features of the path that it is to run on (see `lanes`). `V` is the lane.

use crate::lanes::GROUPS;
use crate::types::{PAIR, Pair, SUPER};

/// Rows to be quantized.
pub(crate) struct Job<'a> {
    pub(crate) src: &'a [f32],
    pub(crate) cols: usize,
    pub(crate) importance: Option<&'a [f32]>,
    pub(crate) dst: &'a mut [u8],
}

/// Stored rows to be read.
pub(crate) struct Stored<'a> {
    pub(crate) src: &'a [u8],
    pub(crate) dst: &'a mut [f32],
}

/// Importance of consecutive super-blocks; it starts anew with every row.
#[inline(always)]
pub(crate) fn by_super(importance: &[f32]) -> impl Iterator<Item = &[f32; SUPER]> {
    importance.as_chunks::<SUPER>().0.iter().cycle()
}

/// Importance of the next sixteen super-blocks.
#[inline(always)]
pub(crate) fn of_batch<'a>(importance: &mut impl Iterator<Item = &'a [f32; SUPER]>) -> [&'a [f32; SUPER]; GROUPS] {
    core::array::from_fn(|_| importance.next().unwrap_or(&[0.0; SUPER]))
}

/// Pair `k` of super-blocks, zeros in place of a second one that is not there.
#[inline(always)]
pub(crate) fn pair(x: &[f32], k: usize) -> Pair {
    let rest = &x[k * PAIR..];
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0.0; PAIR];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    })
}

/// Block by block, importance ignored: `code(weights, bytes)` or `code(bytes, weights)`.
macro_rules! blocks {
    ($V:ident, $job:expr, $code:expr) => {
        for (src, dst) in $job.src.as_chunks().0.iter().zip($job.dst.as_chunks_mut().0) {
            $code(src, dst);
        }
    };
}

/// The types of 32-weight blocks, which under importance need the power of the whole row:
/// `weighted(row, importance, power, blocks)`.
macro_rules! rows {
    ($V:ident, $job:expr, $plain:expr, $weighted:expr) => {
        match $job.importance {
            None => blocks!($V, $job, $plain),
            Some(importance) => {
                let cols = $job.cols;
                let stored = $job.dst.as_chunks_mut().0.chunks_mut(cols / 32 * $crate::lanes::GROUPS);
                for (some, stored) in $job.src.chunks(cols * $crate::lanes::GROUPS).zip(stored) {
                    let powers = $crate::fit::powers_of_rows::<$V>(some, cols);
                    let stored = stored.chunks_exact_mut(cols / 32);
                    for ((row, stored), power) in some.chunks_exact(cols).zip(stored).zip(powers) {
                        $weighted(row, importance, power, stored);
                    }
                }
            }
        }
    };
}

/// All rows at once without importance, else row by row: `code(weights, importance, blocks)`.
macro_rules! runs {
    ($V:ident, $job:expr, $code:expr) => {
        match $job.importance {
            None => $code($job.src, None, $job.dst.as_chunks_mut().0),
            Some(importance) => {
                let stored = $job.dst.as_chunks_mut().0;
                for (row, stored) in $job.src.chunks_exact($job.cols).zip(stored.chunks_exact_mut($job.cols / 32)) {
                    $code(row, Some(importance), stored);
                }
            }
        }
    };
}

/// Several super-blocks at a time, across rows: up to `most` of them, `plain(weights, blocks)`, or up to sixteen,
/// `weighted(weights, importance of each, blocks)`.
macro_rules! batches {
    ($V:ident, $job:expr, $most:expr, $plain:expr, $weighted:expr) => {{
        let at_once = if $job.importance.is_none() { $most } else { $crate::lanes::GROUPS };
        let mut importance = $job.importance.map($crate::walk::by_super);
        let stored = $job.dst.as_chunks_mut().0.chunks_mut(at_once);
        for (x, stored) in $job.src.as_chunks().0.chunks(at_once).zip(stored) {
            match &mut importance {
                None => $plain(x, stored),
                Some(importance) => $weighted(x, &$crate::walk::of_batch(importance), stored),
            }
        }
    }};
}

/// Super-block by super-block: `code(weights, importance, bytes)`.
macro_rules! either {
    ($V:ident, $job:expr, $code:expr) => {
        match $job.importance {
            None => {
                for (x, out) in $job.src.as_chunks().0.iter().zip($job.dst.as_chunks_mut().0) {
                    $code(x, None, out);
                }
            }
            Some(importance) => {
                let blocks = $job.src.as_chunks().0.iter().zip($job.dst.as_chunks_mut().0);
                for ((x, out), importance) in blocks.zip($crate::walk::by_super(importance)) {
                    $code(x, Some(importance), out);
                }
            }
        }
    };
}

/// As `either`, where there always is importance.
macro_rules! needy {
    ($V:ident, $job:expr, $code:expr) => {
        if let Some(importance) = $job.importance {
            let blocks = $job.src.as_chunks().0.iter().zip($job.dst.as_chunks_mut().0);
            for ((x, out), importance) in blocks.zip($crate::walk::by_super(importance)) {
                $code(x, importance, out);
            }
        }
    };
}

/// Two super-blocks at a time, across rows, the last perhaps alone: `code(weights, importance of both, blocks)`.
macro_rules! pairs {
    ($V:ident, $job:expr, $code:expr) => {{
        let mut importance = $job.importance.map($crate::walk::by_super);
        for (k, out) in $job.dst.as_chunks_mut().0.chunks_mut(2).enumerate() {
            let x = $crate::walk::pair($job.src, k);
            let of_both = match &mut importance {
                None => None,
                Some(importance) => importance.next().and_then(|first| Some([first, importance.next()?])),
            };
            $code(&x, of_both, out);
        }
    }};
}

pub(crate) use {batches, blocks, either, needy, pairs, rows, runs};
