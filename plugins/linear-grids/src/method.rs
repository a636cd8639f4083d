//! Everything that can be chosen about rounding a matrix.

use crate::Grid;

/// In which order columns are rounded. The error of each goes into those after it, so the last ones suffer most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they stand.
    Natural,
    /// Groups by their strongest input, columns within a group by theirs, strongest first. Groups stay what they are, so
    /// files need no `g_idx` (gptqmodel calls this group-aware).
    WithinGroups,
    /// Strongest input first; groups are runs of this order, so files need a `g_idx` (`desc_act`).
    Descending,
}

/// How a matrix is rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Method {
    /// Codes.
    pub grid: Grid,
    /// Columns of a group, at least 1; a last group may be shorter. All columns of the matrix: one group per row.
    pub group: usize,
    /// Order of columns.
    pub order: Order,
    /// Share of the mean of the Gram matrix's diagonal that is added to it. More is tried if it does not suffice.
    pub damp: f32,
    /// Steps that are tried for each row and group; 1 takes those that just reach all weights.
    pub candidates: usize,
    /// Rounds of refitting scales and choosing codes anew, after all columns are rounded.
    pub polish: usize,
}

impl Method {
    /// The defaults for a grid. Few bits gain most from a polish (on a small trained model the divergence falls by a tenth
    /// at 2 and 3 bits, by a sixteenth at 4); it costs four times what rounding does.
    pub fn new(grid: Grid, group: usize) -> Method {
        let polish = if grid.bits <= 3 { 2 } else { 0 };
        Method { grid, group, order: Order::WithinGroups, damp: 0.05, candidates: 8, polish }
    }

    /// Groups of a row of so many columns.
    pub fn groups(&self, columns: usize) -> usize {
        columns.div_ceil(self.group)
    }
}
