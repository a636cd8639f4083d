//! An analysis as an HTML page.

use super::AnalysisReport;
use crate::report::numbers::{grouped, percent};
use crate::report::page::{Card, Page};

/// So many outlier channels are listed.
const OUTLIERS: usize = 100;

pub(super) fn render(report: &AnalysisReport) -> String {
    let mut page = Page::new("Analysis", &report.model.name, &report.line());
    page.cards(&cards(report));
    page.warnings(&report.warnings);
    layers(&mut page, report);
    super_weights(&mut page, report);
    outliers(&mut page, report);
    experts(&mut page, report);
    if !report.tensors.is_empty() {
        page.heading("Tensors");
        page.folded(&format!("Figures of all {} tensors", report.tensors.len()), &report.tensors_table());
    }
    page.heading("What was measured");
    page.table(&report.provenance());
    page.finish(&report.tool)
}

fn cards(report: &AnalysisReport) -> Vec<Card> {
    let card = |label, value, note| Card { label, value, note };
    let dropped = match report.text.dropped {
        0 => String::new(),
        dropped => format!("{} left over", grouped(dropped)),
    };
    let mut cards = vec![card("Tokens read", grouped(report.text.tokens), dropped)];
    let tensors = format!("{} tensors", report.tensors.len());
    cards.push(card("Layers", report.layers.len().to_string(), tensors));
    if !report.down_projections.is_empty() || !report.super_weights.is_empty() {
        let places: Vec<String> = report.super_weights.iter().map(|found| format!("layer {}", found.layer)).collect();
        cards.push(card("Super weights", report.super_weights.len().to_string(), places.join(", ")));
    }
    if !report.outliers.is_empty() {
        let linears = report.outliers.iter().filter(|linear| !linear.outliers.is_empty()).count();
        let note = format!("in {linears} of {} inputs", report.outliers.len());
        cards.push(card("Outlier channels", grouped(report.outlier_count() as u64), note));
    }
    if !report.experts.is_empty() {
        let never: usize = report.experts.iter().map(|layer| layer.never.len()).sum();
        let all: usize = report.experts.iter().map(|layer| layer.experts).sum();
        cards.push(card("Experts never reached", never.to_string(), format!("of {all}")));
    }
    cards
}

fn layers(page: &mut Page, report: &AnalysisReport) {
    if report.layers.is_empty() {
        return;
    }
    page.heading("Importance of the layers");
    let most = report.layers.iter().max_by(|a, b| a.sum.total_cmp(&b.sum));
    let caption = most.map_or_else(String::new, |most| {
        format!(
            "The sum over a layer's tensors of the mean squares of their inputs. Layer {} has the largest: {}.",
            most.layer,
            percent(most.share)
        )
    });
    page.figure(&report.draw_layers(), &caption);
    if let Some(svg) = report.draw_energy() {
        page.figure(&svg, "Mean square of one input channel, by tensor and layer; colours follow the logarithm.");
    }
    if let Some(svg) = report.draw_curves(|figure| Some(figure.entropy_share), "evenness H/log₂n") {
        page.figure(
            &svg,
            "How evenly the channels share a tensor's input: 1 for all alike, near 0 where few carry it.",
        );
    }
    if let Some(svg) = report.draw_curves(|figure| figure.cosine, "cosine similarity") {
        page.figure(&svg, "Likeness of a tensor's importance to that of the same tensor one layer earlier.");
    }
    page.folded("Layers as a table", &report.layers_table());
}

fn super_weights(page: &mut Page, report: &AnalysisReport) {
    if report.super_weights.is_empty() && report.down_projections.is_empty() {
        return;
    }
    page.heading("Super weights");
    match report.super_weights.len() {
        0 => page.paragraph("None found: at no down projection do input and output spike together."),
        count => page.paragraph(&format!(
            "{count} found: at these down projections input and output spike together, so one weight makes the output. \
             Keep their tensors at a higher precision."
        )),
    }
    page.table(&report.super_weights_table());
    if let Some(rounds) = report.rounds() {
        page.paragraph(&rounds);
    }
    if let Some(svg) = report.draw_peaks() {
        page.figure(
            &svg,
            "The largest absolute values at the down projections. A super weight shows as a peak of both.",
        );
    }
}

fn outliers(page: &mut Page, report: &AnalysisReport) {
    let Some(first) = report.outliers.first() else { return };
    page.heading("Outlier channels");
    let threshold = first.threshold;
    match report.outlier_count() {
        0 => page.paragraph(&format!("None found: no channel stands {threshold} times above the median channel.")),
        count => page.paragraph(&format!(
            "{} channels stand at least {threshold} times above the median channel of their input, by their largest value \
             or by their root mean square.",
            grouped(count as u64)
        )),
    }
    if let Some(svg) = report.draw_outliers() {
        page.figure(&svg, "How far the furthest channel of each input stands out; colours follow the logarithm.");
    }
    let table = report.outliers_table(OUTLIERS);
    let title = match report.outlier_count() {
        count if count > table.len() => format!("The first {} of {} channels", table.len(), grouped(count as u64)),
        _ => "All outlier channels".to_owned(),
    };
    page.folded(&title, &table);
}

fn experts(page: &mut Page, report: &AnalysisReport) {
    if report.experts.is_empty() {
        return;
    }
    page.heading("Experts");
    if let Some(svg) = report.draw_experts() {
        page.figure(
            &svg,
            "How often the router chose each expert: 1 is an even share. Experts without tokens have no statistics.",
        );
    }
    page.table(&report.experts_table());
}
