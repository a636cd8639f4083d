//! A block of rows cut into panels of channels, as the kernel reads it.

use bytemuck::{Pod, Zeroable};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::kernel::VECTORS;
use crate::BLOCK_ROWS;

/// Rows of X as panels of a few vectors' width, each panel row-major; the last panel is filled up with zeros.
#[derive(Debug)]
pub(crate) struct Panels {
    width: usize,
    rows: usize,
    values: Vec<Line>,
}

/// One line of the cache. Vectors that lie across two lines would cost a quarter of the speed.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * S::F32_LANES
    }
}

/// Channels of a panel on this processor.
fn width() -> usize {
    Arch::new().dispatch(Width)
}

impl Panels {
    /// Bytes that panels of so many channels hold.
    pub(crate) fn bytes(columns: usize) -> u64 {
        4 * (columns.next_multiple_of(width()) * BLOCK_ROWS) as u64
    }

    pub(crate) fn new(columns: usize) -> Panels {
        let width = width();
        Panels { width, rows: 0, values: vec![Line::zeroed(); columns.next_multiple_of(width) * BLOCK_ROWS / 16] }
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        (self.values.capacity() * size_of::<Line>()) as u64
    }

    /// Takes at most [`BLOCK_ROWS`] rows of `columns` channels.
    pub(super) fn fill(&mut self, rows: &[f32], columns: usize) {
        let (width, count) = (self.width, rows.len() / columns);
        self.rows = count;
        let values: &mut [f32] = bytemuck::cast_slice_mut(&mut self.values);
        values.par_chunks_exact_mut(BLOCK_ROWS * width).enumerate().for_each(|(number, panel)| {
            let (from, to) = (number * width, columns.min((number + 1) * width));
            for (packed, row) in panel.chunks_exact_mut(width).zip(rows.chunks_exact(columns)) {
                packed[..to - from].copy_from_slice(&row[from..to]);
            }
        });
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows `start..end` of a panel.
    #[inline(always)]
    pub(super) fn part(&self, panel: usize, start: usize, end: usize) -> &[f32] {
        let panel = panel * BLOCK_ROWS;
        let values: &[f32] = bytemuck::cast_slice(&self.values);
        &values[(panel + start) * self.width..(panel + end) * self.width]
    }
}
