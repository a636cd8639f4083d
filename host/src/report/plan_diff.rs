//! Two plans compared, in words.

use super::{Align, Table, number};
use crate::plan_file::{PlanDiff, Side};

/// The differences, then the tensors, then the sums.
pub fn plan_diff(diff: &PlanDiff) -> String {
    if diff.equal {
        return "The plans are equal\n".to_owned();
    }
    let mut text = String::new();
    for difference in &diff.differences {
        text.push_str(difference);
        text.push('\n');
    }
    if !diff.tensors.is_empty() {
        let columns = [
            ("TENSOR", Align::Left),
            ("BEFORE", Align::Left),
            ("AFTER", Align::Left),
            ("BYTES BEFORE", Align::Right),
            ("BYTES AFTER", Align::Right),
            ("CHANGE", Align::Right),
        ];
        let mut table = Table::new(&columns);
        for change in &diff.tensors {
            let encoding = |side: &Option<Side>| side.as_ref().map_or("-".to_owned(), |side| side.encoding.clone());
            let bytes = |side: &Option<Side>| side.as_ref().map_or(Some(0), |side| side.bytes);
            let (before, after) = (bytes(&change.before), bytes(&change.after));
            table.row([
                change.name.clone(),
                encoding(&change.before),
                encoding(&change.after),
                shown(before),
                shown(after),
                delta(before, after),
            ]);
        }
        text.push_str(&table.render());
    }
    let (before, after) = (diff.bytes_before, diff.bytes_after);
    text.push_str(&format!(
        "{} tensors differ; all tensors have {} bytes, not {} ({})\n",
        diff.tensors.len(),
        shown(after),
        shown(before),
        delta(before, after)
    ));
    text
}

fn shown(bytes: Option<u64>) -> String {
    bytes.map_or("?".to_owned(), number::count)
}

fn delta(before: Option<u64>, after: Option<u64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if after >= before => format!("+{}", number::count(after - before)),
        (Some(before), Some(after)) => format!("-{}", number::count(before - after)),
        _ => "?".to_owned(),
    }
}
