//! An evaluation as Markdown.

use super::EvaluationReport;
use crate::report::table::plain;

pub(super) fn render(report: &EvaluationReport) -> String {
    let mut out = format!("# Evaluation of {}\n\n{}\n\n", plain(&report.model.name), plain(&report.line()));
    for warning in &report.warnings {
        out += &format!("> **Warning:** {}\n\n", plain(warning));
    }
    out += &report.figures().markdown();
    if let Some(found) = &report.comparison {
        out += &format!("\n## Distribution over positions\n\n{}", EvaluationReport::quantiles(found).markdown());
    }
    let layers = report.layers_table();
    if !layers.is_empty() {
        out += &format!("\n## Layers\n\n{}", layers.markdown());
    }
    let tensors = report.tensors_table();
    if !tensors.is_empty() {
        out += &format!("\n## Tensors\n\n{}", tensors.markdown());
    }
    out + &format!("\n## What was measured\n\n{}\n{}\n", report.provenance().markdown(), plain(&report.tool))
}
