//! The factor of a Gram matrix that error feedback runs on: damped, ordered, decomposed and inverted.
//!
//! With H = G + d mean(diag G) I in the order in which columns are rounded, H^-1 = U^T U with U upper triangular. Row `i` of
//! U, divided by its first value, says how the error of column `i` is best made up for by the columns after it (GPTQ,
//! arXiv 2210.17323, section 3). H^-1 itself is never formed: in the *reversed* order H has the lower Cholesky factor L,
//! and U is L^-1 read backwards, so one decomposition and one triangular inverse do (2 n^3 / 3 operations of two times two,
//! and better conditioned than inverting first).
//!
//! Right means: U H U^T = I to within rounding, for any Gram matrix that is positive semidefinite.

use crate::workers::Steady;
use crate::{Method, Order, Workers, dense};
use std::ops::Range;

/// Damping is doubled until the decomposition succeeds, up to this.
const MOST_DAMP: f32 = 1.0;

/// What error feedback needs of a Gram matrix.
#[derive(Debug, Clone)]
pub struct Factor {
    columns: usize,
    damp: f32,
    ridge: f64,
    /// Column at each place of the order.
    order: Vec<u32>,
    /// Places of each group that are rounded together, and the group.
    runs: Vec<(Range<usize>, u32)>,
    /// Group of each column.
    groups: Vec<u32>,
    /// U, row-major; what is below the diagonal is zero.
    upper: Vec<f32>,
}

/// Why there is no factor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A Gram matrix with NaN, infinities or negative squares.
    #[error("the Gram matrix holds {value} at column {column}, where a sum of squares belongs")]
    NoGram {
        /// Which column of the diagonal, or of the row in which it stands.
        column: usize,
        /// The value.
        value: f32,
    },
    /// Nothing was ever seen at the input.
    #[error("every input is zero in every token: nothing says how errors matter")]
    Silent,
    /// A matrix that is far from positive semidefinite.
    #[error("no damping up to {MOST_DAMP} times the mean of its diagonal makes the Gram matrix positive definite")]
    Indefinite,
}

impl Factor {
    /// Factor of a symmetric Gram matrix `[columns, columns]`, as summed; its scale does not matter. `None` if the workers
    /// were stopped. Takes one and a half times the memory of the Gram matrix, and keeps two thirds of it.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Panics
    /// If `gram` has another length.
    pub fn of(gram: &[f32], columns: usize, method: &Method, workers: &dyn Workers) -> Result<Option<Factor>, Refused> {
        assert_eq!(gram.len(), columns * columns, "a Gram matrix of {columns} columns");
        let diagonal: Vec<f32> = (0..columns).map(|column| gram[column * columns + column]).collect();
        for (column, value) in diagonal.iter().enumerate() {
            if !(value.is_finite() && *value >= 0.0) {
                return Err(Refused::NoGram { column, value: *value });
            }
        }
        if let Some(at) = gram.iter().position(|value| !value.is_finite()) {
            return Err(Refused::NoGram { column: at % columns, value: gram[at] });
        }
        let mean = diagonal.iter().map(|value| f64::from(*value)).sum::<f64>() / columns.max(1) as f64;
        if mean == 0.0 {
            return Err(Refused::Silent);
        }
        let order = order(&diagonal, method);
        let runs = runs(&order, method);
        let mut groups = vec![0; columns];
        for (places, group) in &runs {
            order[places.clone()].iter().for_each(|column| groups[*column as usize] = *group);
        }
        let workers = Steady::new(workers);
        let mut damp = method.damp.clamp(0.0, MOST_DAMP);
        loop {
            let mut lower = backwards(gram, columns, &order);
            let ridge = f64::from(damp) * mean;
            for place in 0..columns {
                lower[place * columns + place] += ridge as f32;
            }
            let definite = dense::cholesky(&mut lower, columns, &workers);
            if definite {
                dense::invert_lower(&mut lower, columns, &workers);
            }
            if workers.stopped() {
                return Ok(None);
            }
            if definite && lower.iter().all(|value| value.is_finite()) {
                lower.reverse();
                return Ok(Some(Factor { columns, damp, ridge, order, runs, groups, upper: lower }));
            }
            if damp >= MOST_DAMP {
                return Err(Refused::Indefinite);
            }
            damp = (2.0 * damp).clamp(0.01, MOST_DAMP);
        }
    }

    /// Columns of the matrices that it serves.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The share of the mean of the diagonal that was added to it in the end.
    pub fn damp(&self) -> f32 {
        self.damp
    }

    /// Turns it into the factor of inputs that are divided by `scales`, one for each column. With D the scales that is the factor
    /// of D^-1 H D^-1 in the same order, U D: what damped the diagonal is divided too. No other memory is taken.
    ///
    /// # Panics
    /// If there is another number of scales than columns.
    pub fn divide_inputs(&mut self, scales: &[f32]) {
        assert_eq!(scales.len(), self.columns, "a scale for each of {} columns", self.columns);
        let scales: Vec<f32> = self.order.iter().map(|column| scales[*column as usize]).collect();
        for row in self.upper.chunks_mut(self.columns) {
            row.iter_mut().zip(&scales).for_each(|(value, scale)| *value *= scale);
        }
    }

    /// What an error of 1 in each column costs at the output, squared, once the columns after it have made up for what they
    /// can: 1 / U_ii^2.
    pub fn costs(&self) -> Vec<f32> {
        let mut costs = vec![0.0; self.columns];
        for (place, column) in self.order.iter().enumerate() {
            costs[*column as usize] = self.row(place)[place].powi(-2);
        }
        costs
    }

    /// The group of every column: GPTQ's `g_idx`.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// What was added to each value of the diagonal.
    pub(crate) fn ridge(&self) -> f64 {
        self.ridge
    }

    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    pub(crate) fn runs(&self) -> &[(Range<usize>, u32)] {
        &self.runs
    }

    /// Row `place` of U.
    pub(crate) fn row(&self, place: usize) -> &[f32] {
        &self.upper[place * self.columns..][..self.columns]
    }

    pub(crate) fn upper(&self) -> &[f32] {
        &self.upper
    }
}

/// Columns in the order in which they are rounded; equals stay as they stand.
fn order(diagonal: &[f32], method: &Method) -> Vec<u32> {
    let stronger = |a: &u32, b: &u32| diagonal[*b as usize].total_cmp(&diagonal[*a as usize]);
    let mut all: Vec<u32> = (0..diagonal.len() as u32).collect();
    match method.order {
        Order::Natural => all,
        Order::Descending => {
            all.sort_by(stronger);
            all
        }
        Order::WithinGroups => {
            let mut groups: Vec<&mut [u32]> = all.chunks_mut(method.group).collect();
            groups.iter_mut().for_each(|group| group.sort_by(stronger));
            groups.sort_by(|a, b| stronger(&a[0], &b[0]));
            groups.concat()
        }
    }
}

/// Runs of places that share a group.
fn runs(order: &[u32], method: &Method) -> Vec<(Range<usize>, u32)> {
    let mut runs: Vec<(Range<usize>, u32)> = Vec::new();
    for (place, column) in order.iter().enumerate() {
        let group = match method.order {
            Order::Descending => place / method.group,
            Order::Natural | Order::WithinGroups => *column as usize / method.group,
        } as u32;
        match runs.last_mut() {
            Some((places, last)) if *last == group => places.end = place + 1,
            _ => runs.push((place..place + 1, group)),
        }
    }
    runs
}

/// The Gram matrix in reversed order.
fn backwards(gram: &[f32], columns: usize, order: &[u32]) -> Vec<f32> {
    let mut matrix = Vec::with_capacity(gram.len());
    for row in order.iter().rev() {
        let row = &gram[*row as usize * columns..][..columns];
        matrix.extend(order.iter().rev().map(|column| row[*column as usize]));
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alone, Grid};

    fn method(group: usize, order: Order) -> Method {
        Method { order, ..Method::new(Grid::new(4, true), group) }
    }

    fn gram(columns: usize, tokens: usize) -> Vec<f32> {
        let mut state = 7u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
        };
        let x: Vec<f64> = (0..tokens * columns).map(|i| noise() * (1.0 + (i % columns % 7) as f64)).collect();
        let mut gram = vec![0.0f64; columns * columns];
        for row in x.chunks(columns) {
            for i in 0..columns {
                for j in 0..columns {
                    gram[i * columns + j] += row[i] * row[j];
                }
            }
        }
        gram.into_iter().map(|value| value as f32).collect()
    }

    #[test]
    fn u_turns_h_into_the_identity() {
        for (columns, group, order) in
            [(300, 32, Order::WithinGroups), (257, 64, Order::Natural), (70, 70, Order::Descending)]
        {
            let gram = gram(columns, 400);
            let factor = Factor::of(&gram, columns, &method(group, order), &Alone).unwrap().unwrap();
            let h = |i: usize, j: usize| {
                let (a, b) = (factor.order[i] as usize, factor.order[j] as usize);
                f64::from(gram[a * columns + b]) + if i == j { factor.ridge } else { 0.0 }
            };
            for i in (0..columns).step_by(17) {
                for j in (0..columns).step_by(13) {
                    let uh = |k: usize| (i..columns).map(|l| f64::from(factor.row(i)[l]) * h(l, k)).sum::<f64>();
                    let uhu: f64 = (j..columns).map(|k| uh(k) * f64::from(factor.row(j)[k])).sum();
                    assert!((uhu - f64::from(u8::from(i == j))).abs() < 2e-4, "{i} {j}: {uhu}");
                    assert!(i <= j || factor.row(i)[j] == 0.0);
                }
            }
        }
    }

    #[test]
    fn singular_matrices_are_damped_and_nonsense_is_refused() {
        let few = gram(64, 3);
        let plain = Method { damp: 0.0, ..method(32, Order::Natural) };
        let factor = Factor::of(&few, 64, &plain, &Alone).unwrap().unwrap();
        assert!(factor.damp() > 0.0);
        assert_eq!(Factor::of(&[0.0; 16], 4, &plain, &Alone).unwrap_err(), Refused::Silent);
        let mut broken = gram(8, 20);
        broken[9] = f32::NAN;
        assert!(matches!(Factor::of(&broken, 8, &plain, &Alone), Err(Refused::NoGram { column: 1, .. })));
        let mut indefinite = vec![0.0; 16];
        (0..4).for_each(|i| indefinite[i * 5] = 1.0);
        (indefinite[1], indefinite[4]) = (50.0, 50.0);
        assert_eq!(Factor::of(&indefinite, 4, &plain, &Alone).unwrap_err(), Refused::Indefinite);
    }

    #[test]
    fn dead_inputs_do_not_disturb_the_others() {
        let mut gram = gram(40, 100);
        for i in 0..40 {
            (gram[i * 40 + 11], gram[11 * 40 + i]) = (0.0, 0.0);
        }
        let factor = Factor::of(&gram, 40, &method(8, Order::WithinGroups), &Alone).unwrap().unwrap();
        let place = factor.order.iter().position(|column| *column == 11).unwrap();
        for other in place + 1..40 {
            assert_eq!(factor.row(place)[other], 0.0);
        }
    }

    #[test]
    fn groups_are_natural_or_runs_of_the_order() {
        let diagonal = [1.0, 9.0, 2.0, 3.0, 8.0];
        let within = order(&diagonal, &method(2, Order::WithinGroups));
        assert_eq!(within, [1, 0, 4, 3, 2]);
        assert_eq!(runs(&within, &method(2, Order::WithinGroups)), [(0..2, 0), (2..3, 2), (3..5, 1)]);
        let descending = order(&diagonal, &method(2, Order::Descending));
        assert_eq!(descending, [1, 4, 3, 2, 0]);
        assert_eq!(runs(&descending, &method(2, Order::Descending)), [(0..2, 0), (2..4, 1), (4..5, 2)]);
    }
}
