//! Who looks on while a layer runs: what arrives at linear layers, and what leaves them.

use crate::Rows;

/// Which tokens the rows of an [`Arrival`] belong to, counted within the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens<'a> {
    /// All of them, in order.
    All,
    /// These, in rising order.
    Some(&'a [u32]),
}

impl Tokens<'_> {
    /// The token that a row belongs to.
    pub fn of_row(&self, row: usize) -> usize {
        match self {
            Tokens::All => row,
            Tokens::Some(list) => list[row] as usize,
        }
    }
}

/// Rows in front of, or behind, linear layers.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Tensors of the linear layers, which all get the same rows.
    pub linears: &'a [usize],
    /// Expert whose matrices they are.
    pub expert: Option<u32>,
    /// Whose rows they are.
    pub tokens: Tokens<'a>,
    /// The rows.
    pub rows: &'a Rows,
}

/// Who looks on. Calls come one after the other, in the order of computation, whatever the number of threads.
pub trait Observer {
    /// Rows arrive at linear layers.
    fn arrive(&mut self, arrival: Arrival<'_>);

    /// Rows leave the linear layer behind a feed-forward block, before anything is added to them.
    fn leave(&mut self, departure: Arrival<'_>) {
        let _ = departure;
    }
}

/// Nobody looks on.
pub struct Nobody;

impl Observer for Nobody {
    fn arrive(&mut self, _: Arrival<'_>) {}
}
