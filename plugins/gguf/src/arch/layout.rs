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
    /// Every other column from the first on, transposed: `[experts, in, 2 * out]` becomes `[experts, out, in]`; every other
    /// element of a vector per expert.
    EvenColumns,
    /// The columns in between.
    OddColumns,
    /// `[experts, in, out]` becomes `[experts, out, in]`.
    TransposedStack,
    /// Keys of latent attention: of `[h * (key + value), latent]` the key rows of every head, transposed.
    LatentKeys,
    /// Values of latent attention: the value rows of every head.
    LatentValues,
    /// Query, key and value of each head in turn become all queries, all keys, all values: `[h, 3, d]` to `[3, h, d]`.
    HeadsOfThree,
    /// Queries of all groups, each group being the queries of one key-value head, its key and its value; rotated by
    /// neighbouring rows.
    GroupQueries,
    /// Keys of all groups, rotated by neighbouring rows.
    GroupKeys,
    /// Values of all groups.
    GroupValues,
    /// All queries, then all keys, then all values of such groups.
    Groups,
}

/// Heads of the attention, for layouts that go by head.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key-value heads.
    pub key: usize,
    /// Rows of a key head in the matrix that widens latent vectors, 0 without such a matrix.
    pub latent_key: usize,
    /// Rows of a value head in it.
    pub latent_value: usize,
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
            (Layout::EvenColumns | Layout::OddColumns, [experts, both]) if both % 2 == 0 => {
                let start = usize::from(self == Layout::OddColumns);
                Ok((vec![shape[0], shape[1] / 2], View::new(start, vec![(*experts, *both)], both / 2, 2)))
            }
            (Layout::EvenColumns | Layout::OddColumns, [experts, inputs, both]) if both % 2 == 0 => {
                let start = usize::from(self == Layout::OddColumns);
                let rows = vec![(*experts, inputs * both), (both / 2, 2)];
                Ok((vec![shape[0], shape[2] / 2, shape[1]], View::new(start, rows, *inputs, *both)))
            }
            (Layout::TransposedStack, [experts, inputs, outputs]) => {
                let rows = vec![(*experts, inputs * outputs), (*outputs, 1)];
                Ok((vec![shape[0], shape[2], shape[1]], View::new(0, rows, *inputs, *outputs)))
            }
            (Layout::LatentKeys | Layout::LatentValues, [rows, latent]) => {
                let Heads { query, latent_key: key, latent_value: value, .. } = heads;
                if query == 0 || key == 0 || value == 0 || (key + value).checked_mul(query) != Some(*rows) {
                    return Err(format!("{rows} rows are not {query} heads of {key} key and {value} value rows"));
                }
                let head = (query, (key + value) * latent);
                let (query, latent_64) = (query as u64, shape[1]);
                if self == Layout::LatentKeys {
                    let view = View::new(0, vec![head, (*latent, 1)], key, *latent);
                    return Ok((vec![query, latent_64, key as u64], view));
                }
                let view = View::new(key * latent, vec![head, (value, *latent)], *latent, 1);
                Ok((vec![query, value as u64, latent_64], view))
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
            (Layout::GroupQueries | Layout::GroupKeys | Layout::GroupValues | Layout::Groups, [_] | [_, _]) => {
                let groups = Groups::new(rows, width, heads)?;
                let view = match self {
                    Layout::GroupQueries => groups.rotated(0, groups.queries)?,
                    Layout::GroupKeys => groups.rotated(groups.queries, 1)?,
                    Layout::GroupValues => View::of(vec![groups.part(groups.queries + 1, 1)], width, 1),
                    _ => View::of(
                        vec![
                            groups.part(0, groups.queries),
                            groups.part(groups.queries, 1),
                            groups.part(groups.queries + 1, 1),
                        ],
                        width,
                        1,
                    ),
                };
                let mut shape = same;
                shape[0] = view.rows() as u64;
                Ok((shape, view))
            }
            _ => Err(format!("the shape {shape:?} does not fit its arrangement {self:?}")),
        }
    }

    /// Shape of the source (row-major) from that of the GGUF tensor.
    pub fn source_shape(self, gguf: &[u64], heads: Heads) -> Vec<u64> {
        let fused = |stored: u64, part: usize| {
            let all = (heads.query as u64).saturating_add((heads.key as u64).saturating_mul(2));
            let rows = stored.checked_div(part as u64).unwrap_or(0).saturating_mul(all);
            std::iter::once(rows).chain(gguf.iter().skip(1).copied()).collect()
        };
        let latent_rows = |query: u64| query.saturating_mul((heads.latent_key + heads.latent_value) as u64);
        match (self, gguf) {
            (Layout::GroupQueries, [rows, ..]) => fused(*rows, heads.query),
            (Layout::GroupKeys | Layout::GroupValues, [rows, ..]) => fused(*rows, heads.key),
            (Layout::EvenColumns | Layout::OddColumns, [experts, half]) => vec![*experts, half.saturating_mul(2)],
            (Layout::EvenColumns | Layout::OddColumns, [experts, half, inputs]) => {
                vec![*experts, *inputs, half.saturating_mul(2)]
            }
            (Layout::TransposedStack, [experts, outputs, inputs]) => vec![*experts, *inputs, *outputs],
            (Layout::LatentKeys, [query, latent, _]) | (Layout::LatentValues, [query, _, latent]) => {
                vec![latent_rows(*query), *latent]
            }
            (Layout::Transposed, [outputs, inputs]) => vec![*inputs, *outputs],
            (Layout::FirstHalf | Layout::SecondHalf, [experts, half, columns]) => {
                vec![*experts, half.saturating_mul(2), *columns]
            }
            _ => gguf.to_vec(),
        }
    }
}

/// Rows fused by key-value head: its queries, its key, its value.
struct Groups {
    /// Key-value heads.
    count: usize,
    /// Queries of each.
    queries: usize,
    /// Rows of one head.
    head: usize,
    /// Elements of one row.
    width: usize,
}

impl Groups {
    fn new(rows: usize, width: usize, heads: Heads) -> Result<Groups, String> {
        if heads.key == 0 || !heads.query.is_multiple_of(heads.key) {
            return Err(format!("{} query heads are no whole groups of {} key-value heads", heads.query, heads.key));
        }
        let head = head_rows(rows, heads.query.saturating_add(heads.key.saturating_mul(2)))?;
        Ok(Groups { count: heads.key, queries: heads.query / heads.key, head, width })
    }

    fn start(&self, first: usize) -> usize {
        first * self.head * self.width
    }

    fn stride(&self) -> usize {
        self.start(self.queries + 2)
    }

    /// `heads` heads of every group, from head `first` of the group on.
    fn part(&self, first: usize, heads: usize) -> (usize, Vec<(usize, usize)>) {
        (self.start(first), vec![(self.count, self.stride()), (heads * self.head, self.width)])
    }

    /// The same with the rows that are rotated together beside each other.
    fn rotated(&self, first: usize, heads: usize) -> Result<View, String> {
        if !self.head.is_multiple_of(2) {
            return Err(format!("{} rows per head are not two equal halves", self.head));
        }
        let half = self.head / 2;
        let head = self.head * self.width;
        let rows = vec![(self.count, self.stride()), (heads, head), (half, self.width), (2, half * self.width)];
        Ok(View::new(self.start(first), rows, self.width, 1))
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

    const HEADS: Heads = Heads { query: 2, key: 1, latent_key: 2, latent_value: 1 };

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
        assert_eq!(rows(Layout::EvenColumns, &[2, 3, 4]), [0, 2, 12, 14]);
        assert_eq!(rows(Layout::OddColumns, &[2, 3, 4]), [1, 3, 13, 15]);
        assert_eq!(rows(Layout::OddColumns, &[2, 4]), [1, 5]);
        assert_eq!(rows(Layout::TransposedStack, &[2, 3, 2]), [0, 1, 6, 7]);
        assert_eq!(rows(Layout::LatentKeys, &[6, 4]), [0, 1, 2, 3, 12, 13, 14, 15]);
        assert_eq!(rows(Layout::LatentValues, &[6, 4]), [8, 20]);
        assert_eq!(rows(Layout::HeadsOfThree, &[12, 1]), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        assert_eq!(rows(Layout::GroupQueries, &[16, 1]), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(rows(Layout::GroupKeys, &[16, 1]), [8, 10, 9, 11]);
        assert_eq!(rows(Layout::GroupValues, &[16, 1]), [12, 13, 14, 15]);
    }

    #[test]
    fn groups_become_all_queries_all_keys_all_values() {
        let heads = Heads { query: 4, key: 2, ..Heads::default() };
        let (shape, view) = Layout::Groups.view(&[8, 1], heads).unwrap();
        let rows: Vec<usize> = (0..view.rows()).map(|row| view.element(row, 0)).collect();
        assert_eq!((shape, rows), (vec![8, 1], vec![0, 1, 4, 5, 2, 6, 3, 7]));
        assert!((0..8).all(|element| view.find(element).is_some_and(|(row, _)| view.element(row, 0) == element)));
        assert!(Layout::Groups.view(&[8, 1], Heads { query: 3, key: 2, ..Heads::default() }).is_err());
    }

    #[test]
    fn shapes_lead_back_and_misfits_are_refused() {
        for (layout, shape) in [
            (Layout::Plain, vec![2, 3, 4]),
            (Layout::Transposed, vec![2, 3]),
            (Layout::FirstHalf, vec![2, 4, 3]),
            (Layout::QueryNeighbours, vec![8, 3]),
            (Layout::HeadsOfThree, vec![12, 3]),
            (Layout::GroupQueries, vec![16, 3]),
            (Layout::GroupKeys, vec![16, 3]),
            (Layout::GroupValues, vec![16]),
            (Layout::Groups, vec![16, 3]),
            (Layout::EvenColumns, vec![2, 3, 4]),
            (Layout::OddColumns, vec![2, 4]),
            (Layout::TransposedStack, vec![2, 3, 5]),
            (Layout::LatentKeys, vec![6, 5]),
            (Layout::LatentValues, vec![6, 5]),
        ] {
            let (gguf, _) = layout.view(&shape, HEADS).unwrap();
            assert_eq!(layout.source_shape(&gguf, HEADS), shape, "{layout:?}");
        }
        for (layout, shape) in [
            (Layout::QueryNeighbours, vec![7, 3]),
            (Layout::QueryNeighbours, vec![2, 3]),
            (Layout::KeyNeighbours, vec![1, 2, 3]),
            (Layout::FirstHalf, vec![2, 3, 4]),
            (Layout::HeadsOfThree, vec![8, 3]),
            (Layout::Transposed, vec![1, 2, 3]),
            (Layout::EvenColumns, vec![1, 2, 3]),
            (Layout::TransposedStack, vec![2, 3]),
            (Layout::LatentKeys, vec![7, 5]),
        ] {
            assert!(layout.view(&shape, HEADS).is_err(), "{layout:?} {shape:?}");
        }
        assert!(Layout::QueryNeighbours.view(&[4, 4], Heads::default()).is_err());
    }
}
