//! The part of a factor that one group's columns need, in the order in which feedback reads it.
//!
//! Rows of the factor lie a power of two apart as often as not, so that a group's part of it has no room in the first cache;
//! and it is read once for every stack of rows and every scale that is tried.

use crate::Factor;
use crate::lanes::TOGETHER;

/// Columns that pass their errors on to all later ones at once.
pub(crate) const RUN: usize = TOGETHER;

/// Columns `start..start + columns` of the order.
#[derive(Debug)]
pub(crate) struct Diagonal {
    columns: usize,
    runs: Vec<Run>,
    /// For every run and every column after it, the values of the run's rows in that column.
    later: Vec<[f32; RUN]>,
}

/// The rows of a run. Those beyond the last column are zero.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// 1 / U_ii.
    pub(crate) shares: [f32; RUN],
    /// U_ij of its own columns.
    pub(crate) own: [[f32; RUN]; RUN],
    /// Where its values in later columns begin.
    later: usize,
}

impl Diagonal {
    /// Copies it.
    pub(crate) fn of(factor: &Factor, start: usize, columns: usize) -> Diagonal {
        let mut later = Vec::with_capacity(columns * columns / (2 * RUN));
        let mut runs = Vec::with_capacity(columns.div_ceil(RUN));
        let end = start + columns;
        for first in (start..end).step_by(RUN) {
            let beyond = end.min(first + RUN);
            let mut run = Run { later: later.len(), ..Run::default() };
            for (i, row) in (first..beyond).enumerate() {
                let values = factor.row(row);
                run.shares[i] = 1.0 / values[row];
                run.own[i][..beyond - first].copy_from_slice(&values[first..beyond]);
            }
            later.resize(later.len() + end - beyond, [0.0; RUN]);
            for (i, row) in (first..beyond).enumerate() {
                let values = &factor.row(row)[beyond..end];
                later[run.later..].iter_mut().zip(values).for_each(|(line, value)| line[i] = *value);
            }
            runs.push(run);
        }
        Diagonal { columns, runs, later }
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Runs of columns, in order.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The values of a run's rows in the columns after it.
    pub(crate) fn later(&self, run: usize) -> &[[f32; RUN]] {
        let end = self.runs.get(run + 1).map_or(self.later.len(), |next| next.later);
        &self.later[self.runs[run].later..end]
    }
}
