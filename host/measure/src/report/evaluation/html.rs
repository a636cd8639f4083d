//! An evaluation as an HTML page.

use super::{EvaluationReport, LayerQuality};
use crate::ComparisonSummary;
use crate::report::numbers::{estimate, figure, grouped, percent, percent_estimate, significant};
use crate::report::page::{Card, Page};
use crate::report::plot::{Bar, bars, histogram, ranges};

/// So many tensors are drawn; the table has them all.
const DRAWN: usize = 24;

pub(super) fn render(report: &EvaluationReport) -> String {
    let mut page = Page::new("Evaluation", &report.model.name, &report.line());
    page.cards(&cards(report));
    page.warnings(&report.warnings);
    page.heading("Figures");
    page.table(&report.figures());
    if let Some(found) = &report.comparison {
        distribution(&mut page, found);
    }
    layers(&mut page, report);
    tensors(&mut page, report);
    page.heading("What was measured");
    page.table(&report.provenance());
    page.finish(&report.tool)
}

fn cards(report: &EvaluationReport) -> Vec<Card> {
    let card = |label, value, note| Card { label, value, note };
    let with_error = |text: String| {
        let (value, error) = text.split_once(" ± ").unwrap_or((&text, ""));
        let note = if error.is_empty() { String::new() } else { format!("± {error}") };
        (value.to_owned(), note)
    };
    let (value, note) = with_error(figure(report.perplexity()));
    let mut cards = vec![card("Perplexity", value, note)];
    match &report.comparison {
        Some(found) => {
            let rise = found.perplexity_ratio.value - 1.0;
            let sign = if rise >= 0.0 { "+" } else { "" };
            let original = format!("original {}", significant(found.perplexity_base.value, 5));
            cards.push(card("Change of perplexity", format!("{sign}{}", percent(rise)), original));
            let (value, note) = with_error(estimate(found.mean_kld));
            cards.push(card("Mean KL divergence", value, format!("{note} nats")));
            let (value, note) = with_error(percent_estimate(found.top1_agreement));
            let value = if value.ends_with('%') { value } else { value + " %" };
            cards.push(card("Same top token", value, note));
        }
        None => cards.push(card("Scored positions", grouped(report.positions as u64), report.score.to_string())),
    }
    cards
}

fn distribution(page: &mut Page, found: &ComparisonSummary) {
    page.heading("Divergence by position");
    let mean = format!("mean {}", significant(found.mean_kld.value, 3));
    let caption = format!(
        "At half of the {} positions the prediction diverges by less than {} nats, at one in a hundred by more than {}, at \
         one in a thousand by more than {}. {} positions diverge by less than the axis shows.",
        grouped(found.positions as u64),
        significant(found.kld.median, 3),
        significant(found.kld.p99, 3),
        significant(found.kld.p99_9, 3),
        grouped(found.kld_histogram.below),
    );
    let svg = histogram(&found.kld_histogram, Some((found.mean_kld.value, &mean)), "KL divergence, nats");
    page.figure(&svg, &caption);
    page.heading("Probability of the text's token");
    let caption = format!(
        "How the probability of the token that really follows changes: bars hold 50, 90, 98 and 99.8 % of the positions, \
         the line is the median. On average it changes by {}; the root of the mean square is {}.",
        percent_estimate(found.mean_delta_p),
        percent_estimate(found.rms_delta_p),
    );
    page.figure(&ranges(&found.delta_p, "change of probability"), &caption);
    page.folded("All quantiles", &EvaluationReport::quantiles(found));
}

fn layers(page: &mut Page, report: &EvaluationReport) {
    let largest = report.layers.iter().max_by(|a, b| a.relative_error.total_cmp(&b.relative_error));
    let Some(largest) = largest else { return };
    page.heading("Layers");
    let bar = |layer: &LayerQuality| Bar {
        label: layer.layer.to_string(),
        value: layer.relative_error * 100.0,
        hint: format!("layer {}: {}", layer.layer, percent(layer.relative_error)),
    };
    let drawn: Vec<Bar> = report.layers.iter().map(bar).collect();
    let caption = format!(
        "What each layer adds to the error by itself, when it is handed what arrives there in the original: the squared \
         change of its output over the square of what the original's layer adds to the hidden states. Most of all layer {}.",
        largest.layer
    );
    page.figure(&bars(&drawn, "layers", "error, %"), &caption);
    page.folded(&format!("All {} layers", report.layers.len()), &report.layers_table());
}

fn tensors(page: &mut Page, report: &EvaluationReport) {
    if report.tensors.is_empty() {
        return;
    }
    page.heading("Tensors");
    let mut damaged: Vec<_> = report.tensors.iter().filter_map(|tensor| Some((tensor, tensor.damage_share?))).collect();
    damaged.sort_by(|a, b| b.1.total_cmp(&a.1));
    damaged.truncate(DRAWN);
    if !damaged.is_empty() {
        let drawn: Vec<Bar> = damaged
            .iter()
            .enumerate()
            .map(|(index, (tensor, share))| Bar {
                label: (index + 1).to_string(),
                value: share * 100.0,
                hint: format!("{} ({}): {}", tensor.name, tensor.encoding, percent(*share)),
            })
            .collect();
        let most = &damaged[0];
        let caption = format!("The tensors that do most of the predicted damage; most of all {}.", most.0.name);
        page.figure(&bars(&drawn, "tensors, worst first", "share of the damage, %"), &caption);
    }
    page.folded(&format!("All {} tensors", report.tensors.len()), &report.tensors_table());
}
