//! A table of words and numbers, as Markdown and as HTML.

use super::numbers::grouped;
use super::page::{escaped, turns};
use std::fmt::Write;

/// Most rows that are written.
const MOST_ROWS: usize = 2000;

/// A table; every cell is text and is escaped when it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    head: Vec<&'static str>,
    /// Columns from this one on hold numbers and are aligned to the right.
    numbers_from: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(numbers_from: usize, head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), numbers_from, rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// A row of a name and a value, if there is one.
    pub(super) fn pair(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row([name.to_owned(), value]);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that are written: a table of tens of thousands of experts would make a page that no browser opens.
    fn shown(&self) -> &[Vec<String>] {
        &self.rows[..self.rows.len().min(MOST_ROWS)]
    }

    fn rest(&self) -> Option<String> {
        let rest = self.rows.len().checked_sub(MOST_ROWS).filter(|rest| *rest > 0)?;
        Some(format!("{} more rows are in the JSON report.", grouped(rest as u64)))
    }

    /// Pipes and dashes.
    pub(super) fn markdown(&self) -> String {
        let mut out = format!("| {} |\n|", self.head.join(" | "));
        for column in 0..self.head.len() {
            out.push_str(if column < self.numbers_from { "---|" } else { "---:|" });
        }
        out.push('\n');
        for row in self.shown() {
            let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out + &self.rest().map_or_else(String::new, |rest| format!("\n{rest}\n"))
    }

    /// A scrollable table.
    pub(super) fn html(&self) -> String {
        let class = |column: usize| if column < self.numbers_from { "" } else { " class=\"n\"" };
        let mut out = String::from("<div class=\"scroll\"><table>\n");
        if self.head.iter().any(|head| !head.is_empty()) {
            out.push_str("<thead><tr>");
            for (column, head) in self.head.iter().enumerate() {
                let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column), escaped(head));
            }
            out.push_str("</tr></thead>\n");
        }
        out.push_str("<tbody>\n");
        for row in self.shown() {
            out.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let _ = write!(out, "<td{}>{}</td>", class(column), escaped(cell));
            }
            out.push_str("</tr>\n");
        }
        let rest = self.rest().map_or_else(String::new, |rest| format!("<p class=\"note\">{rest}</p>"));
        out + "</tbody></table>" + &rest + "</div>\n"
    }
}

/// Text that Markdown takes for nothing but text, on one line.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() || turns(letter) => out.push(' '),
            '|' | '`' | '*' | '[' | ']' | '<' | '>' | '#' | '\\' | '&' | '!' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_long_tables_end_with_a_word() {
        let mut table = Table::new(1, &["name", "value"]);
        for row in 0..MOST_ROWS + 1500 {
            table.pair(&row.to_string(), Some(String::new()));
        }
        assert_eq!(table.markdown().lines().count(), 2 + MOST_ROWS + 2);
        assert!(table.markdown().ends_with("\n1,500 more rows are in the JSON report.\n"));
        assert_eq!(table.html().matches("<tr>").count(), 1 + MOST_ROWS);
    }

    #[test]
    fn cells_are_nothing_but_text() {
        let mut table = Table::new(1, &["name", "value"]);
        table.row(["a|b`<script>\n## x".to_owned(), "1".to_owned()]);
        table.pair("none", None);
        assert_eq!(table.len(), 1);
        assert_eq!(table.markdown(), "| name | value |\n|---|---:|\n| a\\|b\\`\\<script\\> \\#\\# x | 1 |\n");
        let html = table.html();
        assert!(html.contains("<td>a|b`&lt;script&gt;\n## x</td><td class=\"n\">1</td>"), "{html}");
    }
}
