//! Everything odd about statistics, found before any work and told all at once.

use super::Table;
use serde::Serialize;

/// Most experts that a sentence lists.
const LISTED: usize = 16;

/// Whether statistics with this problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// They can; the sentence says what follows.
    Warning,
    /// They cannot.
    Error,
}

/// One thing that is odd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it forbids use.
    pub gravity: Gravity,
    /// Entry it concerns; empty for the whole file.
    pub entry: String,
    /// The sentence, without the entry's name.
    pub message: String,
}

impl Problem {
    pub(super) fn error(entry: &str, message: impl Into<String>) -> Problem {
        Problem { gravity: Gravity::Error, entry: entry.to_owned(), message: message.into() }
    }

    pub(super) fn warning(entry: &str, message: impl Into<String>) -> Problem {
        Problem { gravity: Gravity::Warning, entry: entry.to_owned(), message: message.into() }
    }

    /// The whole sentence.
    pub fn sentence(&self) -> String {
        if self.entry.is_empty() { self.message.clone() } else { format!("{}: {}", self.entry, self.message) }
    }
}

/// What is odd about a table by itself, in the order of its names.
pub fn problems(table: &Table) -> Vec<Problem> {
    let mut found: Vec<Problem> = table.warnings.iter().map(|warning| Problem::warning("", warning)).collect();
    if table.entries.is_empty() {
        found.push(Problem::error("", "there are no entries"));
    }
    for (name, entry) in &table.entries {
        let columns = entry.columns();
        if columns == 0 {
            let (values, counts) = (entry.values.len(), entry.counts.len());
            found.push(Problem::error(name, format!("{values} values and {counts} counts make no equal vectors")));
            continue;
        }
        let sound = |value: &f32| value.is_finite() && *value >= 0.0;
        if let Some(at) = entry.values.iter().position(|value| !sound(value)) {
            let count = entry.values.iter().filter(|value| !sound(value)).count();
            let message = format!(
                "value {at} is {}, and {count} of {} values are no sums of squares",
                entry.values[at],
                entry.values.len()
            );
            found.push(Problem::error(name, message));
        }
        let vectors = || entry.values.chunks(columns).zip(&entry.counts).enumerate();
        let unseen: Vec<usize> = vectors().filter(|(_, (_, count))| **count == 0).map(|(index, _)| index).collect();
        if let Some((index, _)) =
            vectors().find(|(_, (values, count))| **count == 0 && values.iter().any(|v| *v != 0.0))
        {
            found.push(Problem::warning(
                name,
                format!("vector {index} holds values and a count of zero; they are not used"),
            ));
        }
        match unseen.len() {
            0 => {}
            n if n == entry.counts.len() => found.push(Problem::warning(name, "no token went in; there are no data")),
            n => found.push(Problem::warning(
                name,
                format!("{n} of {} experts saw no tokens: {}", entry.counts.len(), listed(&unseen)),
            )),
        }
        let seen = vectors().filter(|(_, (_, count))| **count > 0);
        let dead: Vec<usize> =
            seen.filter(|(_, (values, _))| values.iter().all(|v| *v == 0.0)).map(|(index, _)| index).collect();
        if !dead.is_empty() {
            let which = if entry.counts.len() > 1 { format!(" of experts {}", listed(&dead)) } else { String::new() };
            found.push(Problem::warning(name, format!("all values{which} are zero")));
        }
    }
    found
}

fn listed(numbers: &[usize]) -> String {
    let some: Vec<String> = numbers.iter().take(LISTED).map(usize::to_string).collect();
    let more = if numbers.len() > LISTED { ", ..." } else { "" };
    format!("{}{more}", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;

    #[test]
    fn every_problem_is_found_at_once() {
        let entry = |values: &[f32], counts: &[u64]| Entry { values: values.to_vec(), counts: counts.to_vec() };
        let entries = [
            ("a.fine", entry(&[1.0, 2.0], &[3])),
            ("b.nan", entry(&[1.0, f32::NAN], &[3])),
            ("c.inf", entry(&[f32::INFINITY, 1.0], &[3])),
            ("d.negative", entry(&[-1.0, -2.0], &[3])),
            ("e.ragged", entry(&[1.0, 2.0, 3.0], &[1, 1])),
            ("f.unseen", entry(&[0.0; 4], &[0])),
            ("g.expert", entry(&[1.0, 1.0, 0.0, 0.0], &[4, 0])),
            ("h.dead", entry(&[0.0; 4], &[7])),
            ("i.uncounted", entry(&[1.0, 1.0, 2.0, 0.0], &[4, 0])),
        ];
        let entries = entries.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        let found = problems(&Table { entries, ..Table::default() });
        let said: Vec<String> = found.iter().map(Problem::sentence).collect();
        assert_eq!(
            said,
            [
                "b.nan: value 1 is NaN, and 1 of 2 values are no sums of squares",
                "c.inf: value 0 is inf, and 1 of 2 values are no sums of squares",
                "d.negative: value 0 is -1, and 2 of 2 values are no sums of squares",
                "e.ragged: 3 values and 2 counts make no equal vectors",
                "f.unseen: no token went in; there are no data",
                "g.expert: 1 of 2 experts saw no tokens: 1",
                "h.dead: all values are zero",
                "i.uncounted: vector 1 holds values and a count of zero; they are not used",
                "i.uncounted: 1 of 2 experts saw no tokens: 1",
            ]
        );
        let errors = found.iter().filter(|problem| problem.gravity == Gravity::Error).count();
        assert_eq!(errors, 4);
    }
}
