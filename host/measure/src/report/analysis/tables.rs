//! The tables of an analysis, for every rendering alike.

use super::AnalysisReport;
use crate::findings::OutlierKind;
use crate::report::numbers::{grouped, percent, significant};
use crate::report::provenance::{model_rows, run_rows, text_rows};
use crate::report::table::Table;

/// So many experts are named in a table; the JSON names all.
const NAMED: usize = 16;

impl AnalysisReport {
    /// One line: on what.
    pub(super) fn line(&self) -> String {
        let samples = grouped(self.samples as u64);
        format!("{} · {samples} samples of {} tokens", self.text.name, grouped(self.sample_tokens as u64))
    }

    pub(super) fn outlier_count(&self) -> usize {
        self.outliers.iter().map(|linear| linear.outliers.len()).sum()
    }

    pub(super) fn layers_table(&self) -> Table {
        let mut table = Table::new(
            0,
            &["Layer", "Importance ΣE[x²]", "Share", "Mean E[x²]", "Evenness H/log₂n", "Like the layer before"],
        );
        for layer in &self.layers {
            table.row([
                layer.layer.to_string(),
                significant(layer.sum, 5),
                percent(layer.share),
                significant(layer.mean, 4),
                percent(layer.entropy_share),
                layer.cosine.map_or_else(String::new, |cosine| significant(cosine, 4)),
            ]);
        }
        table
    }

    pub(super) fn super_weights_table(&self) -> Table {
        let head = [
            "Tensor",
            "Expert",
            "Row",
            "Column",
            "Weight",
            "Input peak",
            "Output peak",
            "× usual",
            "Its share",
            "Round",
        ];
        let mut table = Table::new(1, &head);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| significant(value, 4));
        for found in &self.super_weights {
            let times = [found.input_ratio, found.output_ratio].into_iter().flatten();
            table.row([
                found.tensor.clone(),
                found.expert.map_or_else(String::new, |expert| expert.to_string()),
                found.row.to_string(),
                found.column.to_string(),
                number(found.weight),
                significant(found.input, 4),
                significant(found.output, 4),
                times.map(|ratio| significant(ratio, 3)).collect::<Vec<_>>().join(" / "),
                found.share.map_or_else(String::new, percent),
                found.round.to_string(),
            ]);
        }
        table
    }

    /// How often super weights were looked for; nothing to say of a single look.
    pub(super) fn rounds(&self) -> Option<String> {
        let last = self.super_weights.iter().map(|found| found.round).max().unwrap_or(0);
        let ended = if last < self.super_weight_rounds { "the last found none" } else { "the last still found some" };
        (self.super_weight_rounds > 1).then(|| {
            format!("Looked for {} times, with those found before set to zero; {ended}.", self.super_weight_rounds)
        })
    }

    /// The `most` outlier channels that stand out furthest, over all linears.
    pub(super) fn outliers_table(&self, most: usize) -> Table {
        let mut table = Table::new(2, &["Input of", "Kind", "Channel", "Largest |x|", "× median", "RMS", "× median"]);
        let channels = self.outliers.iter().flat_map(|linear| linear.outliers.iter().map(move |found| (linear, found)));
        let mut all: Vec<_> = channels.collect();
        // Stable: equal ratios stay in the order of the linears.
        all.sort_by(|a, b| b.1.ratio().total_cmp(&a.1.ratio()));
        for (linear, found) in all.into_iter().take(most) {
            let kind = match found.kind {
                OutlierKind::Persistent => "most tokens",
                OutlierKind::Spike => "single tokens",
            };
            table.row([
                linear.tensor.clone(),
                kind.to_owned(),
                found.channel.to_string(),
                significant(found.largest, 4),
                significant(found.largest_ratio, 3),
                significant(found.rms, 4),
                significant(found.rms_ratio, 3),
            ]);
        }
        table
    }

    pub(super) fn experts_table(&self) -> Table {
        let head =
            ["Layer", "Experts", "Tokens", "Smallest share", "Largest share", "Evenness H/log₂n", "Rare", "Never"];
        let mut table = Table::new(0, &head);
        let named = |experts: &[usize]| {
            let first: Vec<String> = experts.iter().take(NAMED).map(usize::to_string).collect();
            let rest = experts.len().saturating_sub(NAMED);
            first.join(" ") + &if rest > 0 { format!(" and {rest} more") } else { String::new() }
        };
        for layer in &self.experts {
            table.row([
                layer.layer.to_string(),
                layer.experts.to_string(),
                grouped(layer.tokens),
                percent(layer.smallest_share),
                percent(layer.largest_share),
                percent(layer.entropy_share),
                named(&layer.rare),
                named(&layer.never),
            ]);
        }
        table
    }

    pub(super) fn tensors_table(&self) -> Table {
        let head = [
            "Tensor",
            "Tokens",
            "ΣE[x²]",
            "Min",
            "Max",
            "Mean",
            "σ",
            "Active",
            "Entropy, bits",
            "H/log₂n",
            "z > 1",
            "Cosine",
        ];
        let mut table = Table::new(1, &head);
        for figure in &self.tensors {
            let unseen = if figure.unseen > 0 { format!(" ({} unseen)", figure.unseen) } else { String::new() };
            table.row([
                figure.name.clone() + &unseen,
                grouped(figure.count),
                significant(figure.sum, 5),
                significant(figure.min, 3),
                significant(figure.max, 4),
                significant(figure.mean, 4),
                significant(figure.stddev, 4),
                percent(figure.active),
                significant(figure.entropy, 4),
                percent(figure.entropy_share),
                percent(figure.z_density),
                figure.cosine.map_or_else(String::new, |cosine| significant(cosine, 4)),
            ]);
        }
        table
    }

    /// What went in.
    pub(super) fn provenance(&self) -> Table {
        let mut table = Table::new(9, &["", ""]);
        model_rows(&mut table, "Model", &self.model);
        text_rows(&mut table, "Text", &self.text);
        table.pair("Samples", Some(grouped(self.samples as u64)));
        table.pair("Tokens per sample", Some(grouped(self.sample_tokens as u64)));
        run_rows(&mut table, &self.timings, self.peak_memory_bytes);
        table
    }
}
