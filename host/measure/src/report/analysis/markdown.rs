//! An analysis as Markdown.

use super::AnalysisReport;
use crate::report::table::{Table, plain};

/// So many outlier channels are listed.
const OUTLIERS: usize = 40;

pub(super) fn render(report: &AnalysisReport) -> String {
    let mut out = format!("# Analysis of {}\n\n{}\n\n", plain(&report.model.name), plain(&report.line()));
    for warning in &report.warnings {
        out += &format!("> **Warning:** {}\n\n", plain(warning));
    }
    let section = |title: &str, table: &Table, nothing: &str| match (table.is_empty(), nothing.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("## {title}\n\n{nothing}\n\n"),
        (false, _) => format!("## {title}\n\n{}\n", table.markdown()),
    };
    out += &section("Importance of the layers", &report.layers_table(), "");
    let looked = if report.down_projections.is_empty() { "" } else { "None found." };
    out += &section("Super weights", &report.super_weights_table(), looked);
    out += &report.rounds().map_or_else(String::new, |rounds| rounds + "\n\n");
    let outliers = report.outliers_table(OUTLIERS);
    let title = match report.outlier_count() {
        count if count > outliers.len() => format!("Outlier channels (the first {OUTLIERS} of {count})"),
        _ => "Outlier channels".to_owned(),
    };
    out += &section(&title, &outliers, if report.outliers.is_empty() { "" } else { "None found." });
    out += &section("Experts", &report.experts_table(), "");
    out += &section("Tensors", &report.tensors_table(), "");
    out + &format!("## What was measured\n\n{}\n{}\n", report.provenance().markdown(), plain(&report.tool))
}
