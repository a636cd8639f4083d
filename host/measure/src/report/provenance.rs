//! Rows about models, texts and the run that every document has.

use super::numbers::{bytes, duration, grouped, significant};
use super::table::Table;
use super::{ModelIdentity, TextIdentity, Timing};

/// What is known of a model.
pub(super) fn model_rows(table: &mut Table, what: &str, model: &ModelIdentity) {
    let form = [model.format.clone(), model.level.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    table.pair(what, Some(model.name.clone()));
    table.pair(&format!("{what}: form"), (!form.is_empty()).then_some(form));
    table.pair(&format!("{what}: parameters"), model.parameters.map(grouped));
    table.pair(&format!("{what}: weights"), model.bytes.map(bytes));
    table.pair(&format!("{what}: bits per weight"), model.bits_per_weight.map(|bits| significant(bits, 4)));
    table.pair(&format!("{what}: fingerprint"), model.fingerprint.clone());
}

/// What is known of a text.
pub(super) fn text_rows(table: &mut Table, what: &str, text: &TextIdentity) {
    table.pair(what, Some(text.name.clone()));
    table.pair(&format!("{what}: digest"), (!text.digest.is_empty()).then(|| text.digest.clone()));
    let dropped = if text.dropped > 0 { format!(" ({} left over)", grouped(text.dropped)) } else { String::new() };
    table.pair(&format!("{what}: tokens"), Some(grouped(text.tokens) + &dropped));
}

/// Times and memory.
pub(super) fn run_rows(table: &mut Table, timings: &[Timing], peak_memory_bytes: Option<u64>) {
    for timing in timings {
        table.pair(&format!("Time: {}", timing.step), Some(duration(timing.seconds)));
    }
    table.pair("Peak memory", peak_memory_bytes.map(bytes));
}
