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

    /// The same for the Gram matrix of so many tokens: with fewer of them than inputs it says nothing about most directions,
    /// so the damping grows as they become fewer. Experts that were hardly ever chosen are rounded nearly as if their inputs
    /// were independent, which is nearly to nearest, and never worse for the tokens that did reach them.
    pub fn for_tokens(self, tokens: u64, columns: usize) -> Method {
        let missing = columns as f64 / tokens.max(1) as f64;
        Method { damp: (f64::from(self.damp) * missing.max(1.0)).min(1.0) as f32, ..self }
    }

    /// Groups of a row of so many columns.
    pub fn groups(&self, columns: usize) -> usize {
        columns.div_ceil(self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tokens_are_damped_more() {
        let damp = |usual: f32, tokens: u64, columns: usize| {
            Method { damp: usual, ..Method::new(Grid::new(4, true), 32) }.for_tokens(tokens, columns).damp
        };
        assert_eq!(damp(0.05, 1024, 1024), 0.05);
        assert_eq!(damp(0.05, 1 << 20, 64), 0.05);
        assert_eq!(damp(0.05, 256, 1024), 0.2);
        assert_eq!((damp(0.05, 10, 1024), damp(0.05, 1, 4096), damp(0.0, 1, 4096)), (1.0, 1.0, 0.0));
    }
}
