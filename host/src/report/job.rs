//! The result of a quantization in words.

use super::{Align, Table, number};
use crate::job::{JobReport, TensorCheck, TensorCounts};
use llmq_plugin_api::wire::Fallback;

/// Fallbacks that are named in the summary; all are in the warnings and in JSON.
const NAMED: usize = 8;

/// What was written, how large, how long it took, how much memory, and whether it holds what it should.
pub fn job(report: &JobReport) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, value: String| table.row([name.to_owned(), value]);
    line("Output", report.output_path.display().to_string());
    line("Format", format!("{} {}", report.format, report.quantization_level));
    line(
        "Size",
        format!(
            "{} of {} ({:.1} %), {:.2} bits per weight",
            number::bytes(report.file_size),
            number::bytes(report.metadata.original_size),
            report.compression_ratio * 100.0,
            report.bits_per_weight
        ),
    );
    line("Weights", number::count(report.metadata.parameter_count));
    line("Tensors", tensors(&report.tensor_counts, &report.fallbacks));
    if let Some(seen) = report.later_layers_see.filter(|seen| !seen.is_original()) {
        line("Calibration", format!("later layers saw {} ones", seen.word()));
    }
    line("Time", time(report));
    line(
        "Peak memory",
        format!(
            "{} own, {} mapped from files",
            number::bytes(report.memory.peak_anonymous_bytes),
            number::bytes(report.memory.peak_mapped_bytes)
        ),
    );
    line("Validation", validation(report.validation_status, &report.tensors));
    table.render()
}

fn time(report: &JobReport) -> String {
    let time = number::duration(report.duration_seconds);
    match report.units.resumed {
        0 => format!("{time} on {} threads", report.threads),
        resumed => format!(
            "{time} on {} threads, {resumed} of {} units from an earlier run",
            report.threads, report.units.total
        ),
    }
}

/// What became of the tensors; what fell back is named.
fn tensors(counts: &TensorCounts, fallbacks: &[Fallback]) -> String {
    let mut text = format!("{} quantized, {} kept as they are", counts.quantized, counts.kept);
    if counts.as_computed > 0 {
        text.push_str(&format!(", {} read back weight by weight", counts.as_computed));
    }
    if !fallbacks.is_empty() {
        let named: Vec<&str> = fallbacks.iter().take(NAMED).map(|fallback| fallback.name.as_str()).collect();
        text.push_str(&format!("; {} got less than the level promises: {}", fallbacks.len(), named.join(", ")));
        if fallbacks.len() > NAMED {
            text.push_str(&format!(" and {} more", fallbacks.len() - NAMED));
        }
    }
    text
}

/// The status, and the tensor that lost most.
fn validation(status: &str, tensors: &[TensorCheck]) -> String {
    let worst = tensors.iter().max_by(|a, b| a.relative_error.total_cmp(&b.relative_error));
    match worst {
        None => match status {
            "unchecked" => "unchecked: the plugin does not read its own format".into(),
            status => status.into(),
        },
        Some(worst) => format!(
            "{status}; largest relative error {:.4} in {} ({})",
            worst.relative_error, worst.stored_name, worst.encoding
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_names_the_worst_tensor() {
        let check = |name: &str, relative_error| TensorCheck {
            name: name.into(),
            stored_name: format!("{name}.stored"),
            encoding: "Q4_K".into(),
            bytes: 1,
            relative_error,
            sampled_rows: 4,
            as_computed: None,
        };
        let tensors = [check("a", 0.01), check("b", 0.0712), check("c", 0.05)];
        assert_eq!(validation("valid", &tensors), "valid; largest relative error 0.0712 in b.stored (Q4_K)");
        assert_eq!(validation("unchecked", &[]), "unchecked: the plugin does not read its own format");
    }
    #[test]
    fn what_fell_back_is_named() {
        let mut counts = TensorCounts { quantized: 21, kept: 5, fallback: 0, as_computed: 0 };
        assert_eq!(tensors(&counts, &[]), "21 quantized, 5 kept as they are");
        let names: Vec<Fallback> =
            (0..9).map(|i| Fallback { name: format!("m{i}"), reason: "no token".into() }).collect();
        counts.as_computed = 21;
        assert_eq!(
            tensors(&counts, &names[..2]),
            "21 quantized, 5 kept as they are, 21 read back weight by weight; 2 got less than the level promises: m0, m1"
        );
        assert!(tensors(&counts, &names).ends_with("m6, m7 and 1 more"));
    }
}
