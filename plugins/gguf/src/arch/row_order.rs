//! Query and key rows between the two conventions of rotary embedding.
//!
//! Hugging Face rotates row `i` of a head with row `i + half`; llama.cpp's Llama rotates rows `2i` and `2i + 1`. Whole
//! rows change places, so the bytes of a row-wise encoding are not affected.

/// In which order a GGUF tensor holds the rows of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// The source's own order.
    AsStored,
    /// Neighbours in GGUF are halves in the source; heads of this many rows, an even number.
    Neighbours {
        /// Rows of one head.
        head: usize,
    },
}

impl RowOrder {
    /// The source row that stands at row `row` of the GGUF tensor.
    pub fn source_row(self, row: usize) -> usize {
        match self {
            RowOrder::AsStored => row,
            RowOrder::Neighbours { head } => {
                let (base, inner) = (row - row % head, row % head);
                base + inner / 2 + (inner % 2) * (head / 2)
            }
        }
    }

    /// The GGUF row that holds row `row` of the source.
    pub fn stored_row(self, row: usize) -> usize {
        match self {
            RowOrder::AsStored => row,
            RowOrder::Neighbours { head } => {
                let (base, inner) = (row - row % head, row % head);
                base + (inner % (head / 2)) * 2 + inner / (head / 2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RowOrder;

    #[test]
    fn halves_become_neighbours_head_by_head() {
        let order = RowOrder::Neighbours { head: 6 };
        let rows: Vec<usize> = (0..12).map(|row| order.source_row(row)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert!((0..12).all(|row| order.stored_row(order.source_row(row)) == row));
        assert!((0..12).all(|row| RowOrder::AsStored.source_row(row) == row));
    }
}
