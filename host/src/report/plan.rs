//! A plan in words, for `--dry-run`: every tensor, then the sums and what the job needs.

use super::info::shape;
use super::{Align, Table, number};
use crate::job::{PlanReport, PlannedTensor};
use std::collections::BTreeMap;

/// The whole plan.
pub fn plan(report: &PlanReport) -> String {
    let mut text = tensors(&report.tensors);
    for (name, reason) in &report.dropped {
        text.push_str(&format!("{name} is not written: {reason}\n"));
    }
    for note in &report.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    text.push('\n');
    text.push_str(&by_encoding(&report.tensors));
    text.push('\n');
    text.push_str(&sums(report));
    for obstacle in &report.obstacles {
        text.push_str(&format!("In the way: {obstacle}\n"));
    }
    text
}

fn tensors(tensors: &[PlannedTensor]) -> String {
    let columns = [
        ("TENSOR", Align::Left),
        ("TYPE", Align::Left),
        ("SHAPE", Align::Left),
        ("BYTES", Align::Right),
        ("IMPORTANCE", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for tensor in tensors {
        table.row([
            tensor.name.clone(),
            tensor.encoding.clone(),
            shape(&tensor.shape),
            number::count(tensor.bytes),
            if tensor.importance { "measured" } else { "-" }.to_owned(),
            tensor.note.clone(),
        ]);
    }
    table.render()
}

fn by_encoding(tensors: &[PlannedTensor]) -> String {
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for tensor in tensors {
        let (count, bytes) = sums.entry(&tensor.encoding).or_default();
        (*count, *bytes) = (*count + 1, bytes.saturating_add(tensor.bytes));
    }
    let mut table = Table::new(&[("TYPE", Align::Left), ("TENSORS", Align::Right), ("BYTES", Align::Right)]);
    for (encoding, (count, bytes)) in sums {
        table.row([encoding.to_owned(), number::count(count), number::count(bytes)]);
    }
    table.render()
}

fn sums(report: &PlanReport) -> String {
    let needs = &report.needs;
    let of = |have: Option<u64>| have.map_or(String::new(), |have| format!(", {} available", number::bytes(have)));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, value: String| table.row([name.to_owned(), value]);
    line("Output", report.output_path.display().to_string());
    line("Format", format!("{} {}", report.format, report.quantization_level));
    line(
        "Size",
        format!(
            "{} bytes ({}, {:.1} % of the source), {:.2} bits per weight",
            number::count(report.file_size),
            number::bytes(report.file_size),
            report.compression_ratio * 100.0,
            report.bits_per_weight
        ),
    );
    if let Some(seen) = report.later_layers_see {
        line("Calibration", format!("later layers see {} ones", seen.word()));
    }
    line("Disk", format!("{} needed{}", number::bytes(needs.disk_needed), of(needs.disk_free)));
    line("Memory", format!("{} needed{}", number::bytes(needs.memory_needed), of(needs.memory_available)));
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_has_a_line_and_every_encoding_a_sum() {
        let tensor = |name: &str, encoding: &str, bytes, note: &str| PlannedTensor {
            name: name.into(),
            shape: vec![256, 64],
            encoding: encoding.into(),
            bytes,
            place: (0, 0),
            unit: "layer.0".into(),
            sources: vec![],
            importance: name == "b",
            note: note.into(),
        };
        let list = [tensor("a", "Q4_K", 9216, ""), tensor("b", "Q6_K", 13440, "more bits"), tensor("c", "Q4_K", 1, "")];
        let text = tensors(&list);
        assert!(text.contains("b       Q6_K  256 x 64  13,440  measured    more bits\n"), "{text}");
        assert_eq!(by_encoding(&list), "TYPE  TENSORS   BYTES\nQ4_K        2   9,217\nQ6_K        1  13,440\n");
    }
}
