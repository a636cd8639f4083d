//! How GGUF arranges a tensor of the source: a few named layouts, each a [`View`] for a given shape.

use super::View;

/// One arrangement. `h` heads, each `d` wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As the source has it.
    Plain,
    /// Query rows: rows that Hugging Face rotates as halves of a head stand next to each other.
    QueryNeighbours,
    /// The same for keys.
    KeyNeighbours,
    /// `[in, out]` becomes `[out, in]`.
    Transposed,
    /// First half of the rows of every expert, `[experts, 2 * rows, columns]`.
    FirstHalf,
    /// Second half of them.
    SecondHalf,
    /// Query, key and value of each head in turn become all queries, all keys, all values: `[h, 3, d]` to `[3, h, d]`.
    HeadsOfThree,
}

/// Heads of the attention, for layouts that go by head.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key-value heads.
    pub key: usize,
}

impl Layout {
    /// Shape of the GGUF tensor (row-major) and its view of a source tensor of `shape`; a sentence if they do not fit.
    pub fn view(self, shape: &[u64], heads: Heads) -> Result<(Vec<u64>, View), String> {
        let dims: Vec<usize> = shape.iter().map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect();
        let columns = dims.last().copied().unwrap_or(1);
        let plain_rows = dims.split_last().map_or(1, |(_, rows)| rows.iter().product());
        // A vector whose elements change places is treated as rows of one.
        let (rows, width) = if dims.len() == 1 { (columns, 1) } else { (plain_rows, columns) };
        let same = shape.to_vec();
        match (self, dims.as_slice()) {
            (Layout::Plain, _) => Ok((same, View::plain(plain_rows, columns))),
            (Layout::QueryNeighbours, [_] | [_, _]) => Ok((same, neighbours(rows, width, heads.query)?)),
            (Layout::KeyNeighbours, [_] | [_, _]) => Ok((same, neighbours(rows, width, heads.key)?)),
            (Layout::Transposed, [_]) => Ok((same, View::plain(plain_rows, columns))),
            (Layout::Transposed, [inputs, outputs]) => {
                Ok((vec![shape[1], shape[0]], View::new(0, vec![(*outputs, 1)], *inputs, *outputs)))
            }
            (Layout::FirstHalf | Layout::SecondHalf, [experts, both, columns]) if both % 2 == 0 => {
                let start = if self == Layout::FirstHalf { 0 } else { both / 2 * columns };
                let rows = vec![(*experts, both * columns), (both / 2, *columns)];
                Ok((vec![shape[0], shape[1] / 2, shape[2]], View::new(start, rows, *columns, 1)))
            }
            (Layout::HeadsOfThree, [_] | [_, _]) => {
                let per_head = head_rows(rows, heads.query)?;
                if per_head % 3 != 0 {
                    return Err(format!("{per_head} rows per head are not three equal parts"));
                }
                let part = per_head / 3;
                let rows = vec![(3, part * width), (heads.query, per_head * width), (part, width)];
                Ok((same, View::new(0, rows, width, 1)))
            }
            _ => Err(format!("the shape {shape:?} does not fit its arrangement {self:?}")),
        }
    }

    /// Shape of the source (row-major) from that of the GGUF tensor.
    pub fn source_shape(self, gguf: &[u64]) -> Vec<u64> {
        match (self, gguf) {
            (Layout::Transposed, [outputs, inputs]) => vec![*inputs, *outputs],
            (Layout::FirstHalf | Layout::SecondHalf, [experts, half, columns]) => {
                vec![*experts, half.saturating_mul(2), *columns]
            }
            _ => gguf.to_vec(),
        }
    }
}

/// Row `i` of a head stands beside row `i + half`.
fn neighbours(rows: usize, width: usize, heads: usize) -> Result<View, String> {
    let head = head_rows(rows, heads)?;
    if head < 2 || head % 2 != 0 {
        return Err(format!("{rows} rows cannot be split into {heads} heads of an even width"));
    }
    let half = head / 2;
    Ok(View::new(0, vec![(heads, head * width), (half, width), (2, half * width)], width, 1))
}

fn head_rows(rows: usize, heads: usize) -> Result<usize, String> {
    match rows.checked_div(heads) {
        Some(head) if head * heads == rows && head > 0 => Ok(head),
        _ => Err(format!("{rows} rows cannot be shared evenly by {heads} heads")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Heads = Heads { query: 2, key: 1 };

    fn rows(layout: Layout, shape: &[u64]) -> Vec<usize> {
        let (_, view) = layout.view(shape, HEADS).unwrap();
        (0..view.rows()).map(|row| view.element(row, 0)).collect()
    }

    #[test]
    fn halves_become_neighbours_head_by_head() {
        assert_eq!(rows(Layout::QueryNeighbours, &[12, 1]), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert_eq!(rows(Layout::QueryNeighbours, &[12]), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert_eq!(rows(Layout::KeyNeighbours, &[4, 1]), [0, 2, 1, 3]);
    }

    #[test]
    fn other_arrangements() {
        assert_eq!(rows(Layout::Transposed, &[2, 3]), [0, 1, 2]);
        assert_eq!(rows(Layout::FirstHalf, &[2, 4, 1]), [0, 1, 4, 5]);
        assert_eq!(rows(Layout::SecondHalf, &[2, 4, 1]), [2, 3, 6, 7]);
        assert_eq!(rows(Layout::HeadsOfThree, &[12, 1]), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
    }

    #[test]
    fn shapes_lead_back_and_misfits_are_refused() {
        for (layout, shape) in [
            (Layout::Plain, vec![2, 3, 4]),
            (Layout::Transposed, vec![2, 3]),
            (Layout::FirstHalf, vec![2, 4, 3]),
            (Layout::QueryNeighbours, vec![8, 3]),
            (Layout::HeadsOfThree, vec![12, 3]),
        ] {
            let (gguf, _) = layout.view(&shape, HEADS).unwrap();
            assert_eq!(layout.source_shape(&gguf), shape, "{layout:?}");
        }
        for (layout, shape) in [
            (Layout::QueryNeighbours, vec![7, 3]),
            (Layout::QueryNeighbours, vec![2, 3]),
            (Layout::KeyNeighbours, vec![1, 2, 3]),
            (Layout::FirstHalf, vec![2, 3, 4]),
            (Layout::HeadsOfThree, vec![8, 3]),
            (Layout::Transposed, vec![1, 2, 3]),
        ] {
            assert!(layout.view(&shape, HEADS).is_err(), "{layout:?} {shape:?}");
        }
        assert!(Layout::QueryNeighbours.view(&[4, 4], Heads { query: 0, key: 0 }).is_err());
    }
}
