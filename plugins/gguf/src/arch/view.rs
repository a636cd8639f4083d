//! Which elements of a source tensor are the rows and columns of a GGUF tensor: strides over the source's elements.
//!
//! Everything that a conversion rearranges without computing is such a view: rows that change places between two
//! conventions of rotary embedding, transposed matrices, halves of fused tensors, heads regrouped. A view is read
//! forwards when a file is written and backwards when it is read.

/// Elements of a tensor in another arrangement. Extents are in steps, strides in elements of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Parts whose rows follow each other: the element of the source at row 0, column 0, then extent and stride of each
    /// dimension that counts rows, outermost first.
    parts: Vec<(usize, Vec<(usize, usize)>)>,
    /// Columns.
    columns: usize,
    /// Elements from one column to the next.
    column_stride: usize,
}

impl View {
    /// The source as it is: `rows` rows of `columns`.
    pub fn plain(rows: usize, columns: usize) -> View {
        View::new(0, vec![(rows, columns)], columns, 1)
    }

    /// Any view. `rows` holds extents and strides, outermost first.
    pub fn new(start: usize, rows: Vec<(usize, usize)>, columns: usize, column_stride: usize) -> View {
        View::of(vec![(start, rows)], columns, column_stride)
    }

    /// Several views of the same columns, one behind the other.
    pub fn of(parts: Vec<(usize, Vec<(usize, usize)>)>, columns: usize, column_stride: usize) -> View {
        View { parts, columns, column_stride }
    }

    /// Rows of the view.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|(_, rows)| count(rows)).sum()
    }

    /// Columns of the view.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Elements of the source from one column to the next.
    pub fn column_stride(&self) -> usize {
        self.column_stride
    }

    /// The element of the source at a row and a column.
    pub fn element(&self, mut row: usize, column: usize) -> usize {
        let mut last = None;
        for (start, rows) in &self.parts {
            last = Some((start, rows));
            let held = count(rows);
            if row < held {
                break;
            }
            row -= held;
        }
        let Some((start, rows)) = last else { return column * self.column_stride };
        let mut at = start + column * self.column_stride;
        for (extent, stride) in rows.iter().rev() {
            at += row % extent * stride;
            row /= extent;
        }
        at
    }

    /// The source row that is row `row` of the view, if it is whole rows of `source_columns` that change places.
    pub fn source_row(&self, row: usize, source_columns: usize) -> Option<usize> {
        let first = self.element(row, 0);
        let whole = self.column_stride == 1 && self.columns == source_columns && first.is_multiple_of(source_columns);
        whole.then(|| first / source_columns)
    }

    /// Row and column at which the view holds an element of the source; `None` if it does not.
    pub fn find(&self, element: usize) -> Option<(usize, usize)> {
        let mut before = 0;
        for (start, rows) in &self.parts {
            if let Some((row, column)) = self.find_in(*start, rows, element) {
                return Some((before + row, column));
            }
            before += count(rows);
        }
        None
    }

    fn find_in(&self, start: usize, rows: &[(usize, usize)], element: usize) -> Option<(usize, usize)> {
        let mut rest = element.checked_sub(start)?;
        let mut steps: Vec<(usize, usize, usize)> =
            rows.iter().enumerate().map(|(place, (extent, stride))| (*stride, *extent, place)).collect();
        steps.push((self.column_stride, self.columns, usize::MAX));
        steps.sort_unstable_by_key(|(stride, ..)| std::cmp::Reverse(*stride));
        let mut digits = vec![0; rows.len()];
        let mut column = 0;
        for (stride, extent, place) in steps {
            // A dimension of one step has no part in the sum, whatever its stride.
            let digit = if extent == 1 { 0 } else { rest / stride };
            if digit >= extent {
                return None;
            }
            rest -= digit * stride;
            match digits.get_mut(place) {
                Some(slot) => *slot = digit,
                None => column = digit,
            }
        }
        let row = rows.iter().zip(digits).fold(0, |row, ((extent, _), digit)| row * extent + digit);
        (rest == 0).then_some((row, column))
    }
}

/// Rows that dimensions count together.
fn count(rows: &[(usize, usize)]) -> usize {
    rows.iter().map(|(extent, _)| extent).product()
}

#[cfg(test)]
mod tests {
    use super::View;

    fn leads_back(view: &View, elements: usize) {
        let mut held = 0;
        for element in 0..elements {
            if let Some((row, column)) = view.find(element) {
                assert_eq!(view.element(row, column), element);
                held += 1;
            }
        }
        assert_eq!(held, view.rows() * view.columns(), "{view:?}");
    }

    #[test]
    fn views_lead_back_to_their_elements() {
        leads_back(&View::plain(5, 3), 15);
        leads_back(&View::plain(1, 1), 1);
        leads_back(&View::new(0, vec![(4, 1)], 6, 4), 24);
        leads_back(&View::new(6, vec![(2, 12), (2, 3)], 3, 1), 24);
        leads_back(&View::new(0, vec![(2, 18), (3, 3), (2, 9)], 3, 1), 36);
    }

    #[test]
    fn whole_rows_are_recognised() {
        let halves = View::new(0, vec![(1, 12), (2, 3), (2, 6)], 3, 1);
        let rows: Vec<_> = (0..4).map(|row| halves.source_row(row, 3)).collect();
        assert_eq!(rows, [Some(0), Some(2), Some(1), Some(3)]);
        assert_eq!(View::new(0, vec![(4, 1)], 6, 4).source_row(0, 4), None);
    }
}
