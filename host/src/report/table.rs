//! Plain columns, aligned with blanks: readable on a screen, splittable by tools, no frames.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns. All headings empty = no heading line.
    pub fn new(columns: &[(&'static str, Align)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// Lines, each ended, without blanks at their ends.
    pub fn render(&self) -> String {
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let with_headings = headings.iter().any(|heading| !heading.is_empty());
        let lines: Vec<&Vec<String>> = with_headings.then_some(&headings).into_iter().chain(&self.rows).collect();
        let cell = |line: &Vec<String>, column: usize| line.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| lines.iter().map(|line| cell(line, column).chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for line in &lines {
            let mut row = String::new();
            for (column, (_, align)) in self.columns.iter().enumerate() {
                let (value, width) = (cell(line, column), widths[column]);
                match align {
                    Align::Left => row.push_str(&format!("{value:<width$}")),
                    Align::Right => row.push_str(&format!("{value:>width$}")),
                }
                row.push_str("  ");
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("NAME", Align::Left), ("BYTES", Align::Right), ("NOTE", Align::Left)]);
        table.row(["a".into(), "7".into(), String::new()]);
        table.row(["longer".into(), "1,234".into(), "x".into()]);
        assert_eq!(table.render(), "NAME    BYTES  NOTE\na           7\nlonger  1,234  x\n");
    }

    #[test]
    fn empty_headings_give_no_line() {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(["a".into(), "b".into()]);
        assert_eq!(table.render(), "a  b\n");
    }
}
