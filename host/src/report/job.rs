//! The result of a quantization in words.

use super::{Align, Table, number};
use crate::job::{JobReport, TensorCheck};

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
        };
        let tensors = [check("a", 0.01), check("b", 0.0712), check("c", 0.05)];
        assert_eq!(validation("valid", &tensors), "valid; largest relative error 0.0712 in b.stored (Q4_K)");
        assert_eq!(validation("unchecked", &[]), "unchecked: the plugin does not read its own format");
    }
}
