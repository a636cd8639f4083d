//! An importance matrix in words: every entry's figures, means per layer, everything odd.

use super::{Align, Table, number};
use crate::statistics::{Figures, Shown};
use std::collections::BTreeMap;

/// The whole matrix.
pub fn imatrix(shown: &Shown) -> String {
    let mut text = head(shown);
    text.push('\n');
    text.push_str(&entries(&shown.tensors));
    let layers = layers(&shown.tensors);
    if !layers.is_empty() {
        text.push('\n');
        text.push_str(&layers);
    }
    text.push('\n');
    for problem in &shown.problems {
        let gravity = match problem.gravity {
            crate::statistics::Gravity::Warning => "Warning",
            crate::statistics::Gravity::Error => "Error",
        };
        text.push_str(&format!("{gravity}: {}\n", problem.sentence()));
    }
    if shown.problems.is_empty() {
        text.push_str("No problems.\n");
    }
    text
}

fn head(shown: &Shown) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, value: String| table.row([name.to_owned(), value]);
    line("File", shown.origin.files.join(", "));
    line("Texts", if shown.origin.datasets.is_empty() { "-".into() } else { shown.origin.datasets.join(", ") });
    line("Entries", number::count(shown.origin.entries));
    let size = shown.chunk_size.map_or(String::new(), |size| format!(" of {size} tokens"));
    line("Chunks", format!("{}{size}", number::count(shown.origin.chunks)));
    table.render()
}

const COLUMNS: [(&str, Align); 13] = [
    ("LAYER", Align::Right),
    ("TENSOR", Align::Left),
    ("SUM(ACT^2)", Align::Right),
    ("MIN", Align::Right),
    ("MAX", Align::Right),
    ("MEAN", Align::Right),
    ("STDDEV", Align::Right),
    ("ACTIVE", Align::Right),
    ("N", Align::Right),
    ("ENTROPY", Align::Right),
    ("OF MAX", Align::Right),
    ("ZD", Align::Right),
    ("COSSIM", Align::Right),
];

/// A line per entry.
pub(super) fn entries(all: &[Figures]) -> String {
    let mut table = Table::new(&COLUMNS);
    for figures in all {
        let unseen = match figures.unseen {
            0 => String::new(),
            n => format!(" ({n} of {} experts without data)", figures.vectors),
        };
        table.row([
            figures.layer.map_or_else(|| "-".to_owned(), |layer| layer.to_string()),
            format!("{}{unseen}", figures.tensor),
            format!("{:.2}", figures.sum),
            format!("{:.4}", figures.min),
            format!("{:.4}", figures.max),
            format!("{:.4}", figures.mean),
            format!("{:.4}", figures.stddev),
            format!("{:.2} %", figures.active * 100.0),
            figures.elements.to_string(),
            format!("{:.4}", figures.entropy),
            format!("{:.2} %", figures.entropy_share * 100.0),
            format!("{:.2} %", figures.z_density * 100.0),
            figures.cosine.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.4}")),
        ]);
    }
    table.render()
}

/// Means over the channels of a layer, as llama-imatrix shows them below its table.
fn layers(all: &[Figures]) -> String {
    let mut sums: BTreeMap<u32, [f64; 4]> = BTreeMap::new();
    for figures in all {
        let Some(layer) = figures.layer else { continue };
        let weight = figures.elements as f64;
        let parts = [weight, weight * figures.sum, weight * figures.z_density, weight * figures.cosine.unwrap_or(0.0)];
        sums.entry(layer).or_default().iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let columns =
        [("LAYER", Align::Right), ("SUM(ACT^2)", Align::Right), ("ZD", Align::Right), ("COSSIM", Align::Right)];
    let mut table = Table::new(&columns);
    for (layer, [weight, sum, density, cosine]) in &sums {
        table.row([
            layer.to_string(),
            format!("{:.2}", sum / weight),
            format!("{:.4} %", density / weight * 100.0),
            format!("{:.4}", cosine / weight),
        ]);
    }
    if sums.is_empty() { String::new() } else { table.render() }
}
