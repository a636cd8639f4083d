//! The largest magnitudes around the last linear layer of a feed-forward block: where super weights show.

use llmq_forward::Arrival;
use llmq_measure::findings::SuperWeightRule;

/// The largest magnitude that was seen, and where.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Peak {
    /// The value, with its sign.
    pub value: f32,
    /// Channel.
    pub channel: usize,
    /// Token, counted over all samples.
    pub token: usize,
}

/// One side of a linear layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// The largest magnitude.
    pub peak: Peak,
    /// The channel in the middle: the median of the channels' largest magnitudes. Known once all rows were seen.
    pub typical: Option<f64>,
    /// Largest magnitude of each channel, until then.
    largest: Vec<f32>,
}

/// Both sides of a linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    /// Tensor of the linear layer.
    pub linear: usize,
    /// What arrived.
    pub arrived: Side,
    /// The whole row that held the peak of what arrived, if that stands far above the channel in the middle.
    pub row: Vec<f32>,
    /// What left.
    pub left: Side,
}

impl Peaks {
    /// Nothing seen yet.
    pub fn new(linear: usize) -> Peaks {
        Peaks { linear, arrived: Side::default(), row: Vec::new(), left: Side::default() }
    }

    /// Rows arrive; `first` is the number of their batch's first token.
    pub fn arrive(&mut self, arrival: &Arrival<'_>, first: usize) {
        if let Some(row) = self.arrived.look(arrival, first) {
            row.clone_into(&mut self.row);
        }
    }

    /// Rows leave.
    pub fn leave(&mut self, departure: &Arrival<'_>, first: usize) {
        self.left.look(departure, first);
    }

    /// All rows were seen: only what findings need stays, because models have tens of thousands of experts.
    pub fn settle(&mut self) {
        self.arrived.settle();
        self.left.settle();
        let far = SuperWeightRule::default().ratio * self.arrived.typical.unwrap_or(0.0);
        if f64::from(self.arrived.peak.value.abs()) < far {
            self.row = Vec::new();
        }
    }
}

impl Side {
    /// Looks at rows; gives the one that holds a new peak. Values that are not finite are passed over.
    fn look<'a>(&mut self, arrival: &Arrival<'a>, first: usize) -> Option<&'a [f32]> {
        let size = |value: &f32| if value.is_finite() { value.abs() } else { 0.0 };
        self.largest.resize(arrival.rows.columns, 0.0);
        let mut holder = None;
        for (number, row) in arrival.rows.values.chunks_exact(arrival.rows.columns.max(1)).enumerate() {
            let mut top = 0.0f32;
            for (largest, value) in self.largest.iter_mut().zip(row) {
                let size = size(value);
                *largest = largest.max(size);
                top = top.max(size);
            }
            if top > self.peak.value.abs() {
                let channel = row.iter().position(|value| size(value) == top).unwrap_or(0);
                self.peak = Peak { value: row[channel], channel, token: first + arrival.tokens.of_row(number) };
                holder = Some(row);
            }
        }
        holder
    }

    fn settle(&mut self) {
        let mut sorted = std::mem::take(&mut self.largest);
        sorted.sort_unstable_by(f32::total_cmp);
        let middle = sorted.len() / 2;
        let upper = sorted.get(middle).copied().map(f64::from);
        let lower = if sorted.len().is_multiple_of(2) { middle.checked_sub(1) } else { Some(middle) };
        let lower = lower.and_then(|lower| sorted.get(lower)).copied().map(f64::from);
        self.typical = upper.zip(lower).map(|(upper, lower)| 0.5 * (upper + lower));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_forward::{Rows, Tokens};

    #[test]
    fn peaks_their_rows_and_the_channel_in_the_middle() {
        let mut peaks = Peaks::new(7);
        let mut arrive = |values: &[f32], tokens: &[u32], first: usize| {
            let rows = Rows { values: values.to_vec(), columns: 3 };
            peaks.arrive(&Arrival { linears: &[7], expert: None, tokens: Tokens::Some(tokens), rows: &rows }, first);
        };
        arrive(&[1.0, -2.0, 0.5, 3.0, f32::NAN, -4.0], &[0, 5], 0);
        arrive(&[4.0, 0.0, f32::INFINITY, 0.0, 0.5, 0.0], &[1, 2], 100);
        assert_eq!(peaks.arrived.peak, Peak { value: -4.0, channel: 2, token: 5 }, "the first of equal ones");
        assert_eq!(peaks.arrived.largest, [4.0, 2.0, 4.0]);
        assert_eq!((peaks.row[0], peaks.row[2]), (3.0, -4.0));
        peaks.settle();
        assert_eq!((peaks.arrived.typical, peaks.left.typical, peaks.row.len()), (Some(4.0), None, 0), "no far peak");
        let mut far = Side { largest: vec![1.0, 5.0, 2.0, 9.0], ..Side::default() };
        far.settle();
        assert_eq!(far.typical, Some(3.5));
    }

    #[test]
    fn the_row_of_a_far_peak_stays() {
        let mut peaks = Peaks::new(7);
        let rows = Rows { values: vec![1.0, -40.0, 0.5], columns: 3 };
        peaks.arrive(&Arrival { linears: &[7], expert: None, tokens: Tokens::All, rows: &rows }, 0);
        peaks.settle();
        assert_eq!((peaks.row.as_slice(), peaks.arrived.typical), (rows.values.as_slice(), Some(1.0)));
    }
}
