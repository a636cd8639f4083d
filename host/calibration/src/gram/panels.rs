//! A block of rows cut into narrow panels of channels, as the kernel reads it.

use bytemuck::{Pod, Zeroable};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::BAND;
use super::kernel::VECTORS;
use crate::BLOCK_ROWS;

/// Channels of the two kinds of panels on this processor; both divide [`BAND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    /// Left: channels whose values are spread over vectors one by one.
    pub(super) left: usize,
    /// Right: channels that fill vectors.
    pub(super) right: usize,
}

impl Widths {
    /// Left panels are as wide as the registers allow: 12 sums of AVX2's 16 registers, 24 of AVX-512's 32.
    pub(super) const fn of(lanes: usize) -> Widths {
        Widths { left: if lanes == 16 { 12 } else { 6 }, right: VECTORS * lanes }
    }
}

impl WithSimd for Widths {
    type Output = Widths;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Widths {
        Widths::of(S::F32_LANES)
    }
}

/// Rows of X in both kinds of panels, each panel row-major; what is beyond the last channel is zero.
#[derive(Debug)]
pub(crate) struct Panels {
    widths: Widths,
    rows: usize,
    left: Vec<Line>,
    right: Vec<Line>,
}

/// One line of the cache: vectors that lie across two lines are loaded at half the speed.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Values of a band of either kind.
const BAND_VALUES: usize = BAND * BLOCK_ROWS;

impl Panels {
    /// Bytes that panels of so many channels hold.
    pub(crate) fn bytes(columns: usize) -> u64 {
        2 * 4 * (columns.div_ceil(BAND) * BAND_VALUES) as u64
    }

    pub(crate) fn new(columns: usize) -> Panels {
        let lines = vec![Line::zeroed(); columns.div_ceil(BAND) * BAND_VALUES / 16];
        Panels { widths: Arch::new().dispatch(Widths::of(1)), rows: 0, left: lines.clone(), right: lines }
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        ((self.left.capacity() + self.right.capacity()) * size_of::<Line>()) as u64
    }

    /// Takes at most [`BLOCK_ROWS`] rows of `columns` channels.
    pub(super) fn fill(&mut self, rows: &[f32], columns: usize) {
        self.rows = rows.len() / columns;
        let widths = self.widths;
        let left = bytemuck::cast_slice_mut::<_, f32>(&mut self.left).par_chunks_exact_mut(BAND_VALUES);
        let right = bytemuck::cast_slice_mut::<_, f32>(&mut self.right).par_chunks_exact_mut(BAND_VALUES);
        left.zip(right).enumerate().for_each(|(band, (left, right))| {
            let channels = band * BAND..columns.min((band + 1) * BAND);
            for (number, row) in rows.chunks_exact(columns).enumerate() {
                let row = &row[channels.clone()];
                spread(row, left, widths.left, number);
                spread(row, right, widths.right, number);
            }
        });
    }

    pub(super) fn widths(&self) -> Widths {
        self.widths
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows `start..end` of a left panel.
    #[inline(always)]
    pub(super) fn left(&self, panel: usize, start: usize, end: usize) -> &[f32] {
        part(&self.left, panel, self.widths.left, start, end)
    }

    /// Rows `start..end` of a right panel.
    #[inline(always)]
    pub(super) fn right(&self, panel: usize, start: usize, end: usize) -> &[f32] {
        part(&self.right, panel, self.widths.right, start, end)
    }
}

/// Writes row `number` of a band into its panels.
fn spread(row: &[f32], panels: &mut [f32], width: usize, number: usize) {
    for (channels, panel) in row.chunks(width).zip(panels.chunks_exact_mut(BLOCK_ROWS * width)) {
        panel[number * width..][..channels.len()].copy_from_slice(channels);
    }
}

#[inline(always)]
fn part(lines: &[Line], panel: usize, width: usize, start: usize, end: usize) -> &[f32] {
    let panel = panel * BLOCK_ROWS;
    &bytemuck::cast_slice(lines)[(panel + start) * width..(panel + end) * width]
}
