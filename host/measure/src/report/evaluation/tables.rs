//! The tables of an evaluation, for every rendering alike.

use super::EvaluationReport;
use crate::report::numbers::{bytes, estimate, figure, grouped, percent, percent_estimate, significant};
use crate::report::provenance::{model_rows, run_rows, text_rows};
use crate::report::table::Table;
use crate::{ComparisonSummary, Counting, Estimate, Quantiles};

impl EvaluationReport {
    /// One line: what was scored, on what.
    pub(super) fn line(&self) -> String {
        let against = self.original.as_ref().map_or(String::new(), |original| format!("against {} · ", original.name));
        let chunks = grouped(self.chunks as u64);
        let scored = match self.score {
            Counting::All => "every token but the first scored",
            Counting::SecondHalf => "second half scored",
        };
        format!("{against}{} · {chunks} chunks of {} tokens, {scored}", self.text.name, self.context)
    }

    /// The figure with its error, where a comparison does not tell it anyway.
    pub(super) fn perplexity(&self) -> Estimate {
        Estimate { value: self.perplexity, error: self.perplexity_error }
    }

    /// Perplexities, divergence and agreement with their errors.
    pub(super) fn figures(&self) -> Table {
        let mut table = Table::new(1, &["Figure", "Value"]);
        table.pair("Perplexity", Some(figure(self.perplexity())));
        let Some(found) = &self.comparison else { return table };
        table.pair("Perplexity of the original", Some(figure(found.perplexity_base)));
        table.pair("Ratio of perplexities (paired)", Some(estimate(found.perplexity_ratio)));
        table.pair("ln of the ratio (paired)", Some(estimate(found.log_perplexity_ratio)));
        table.pair("Difference of perplexities (paired)", Some(estimate(found.perplexity_difference)));
        table.pair("Correlation of ln perplexity", found.log_perplexity_correlation.map(percent));
        table.pair("Mean KL divergence, nats", Some(estimate(found.mean_kld)));
        table.pair("Same top token", Some(percent_estimate(found.top1_agreement)));
        table.pair("Mean Δp of the text's token", Some(percent_estimate(found.mean_delta_p)));
        table.pair("RMS Δp of the text's token", Some(percent_estimate(found.rms_delta_p)));
        table
    }

    /// Quantiles of divergence and change of probability.
    pub(super) fn quantiles(found: &ComparisonSummary) -> Table {
        let mut table = Table::new(1, &["Quantile", "KL divergence, nats", "Δp of the text's token"]);
        let names = [
            "Largest", "99.9 %", "99 %", "95 %", "90 %", "75 %", "Median", "25 %", "10 %", "5 %", "1 %", "0.1 %",
            "Smallest",
        ];
        for ((name, kld), delta) in names.into_iter().zip(descending(&found.kld)).zip(descending(&found.delta_p)) {
            table.row([name.to_owned(), significant(kld, 4), percent(delta)]);
        }
        table
    }

    /// The model's layers, each by itself.
    pub(super) fn layers_table(&self) -> Table {
        let mut table = Table::new(1, &["Layer", "Error that it adds by itself"]);
        for layer in &self.layers {
            table.row([layer.layer.to_string(), significant(layer.relative_error, 3)]);
        }
        table
    }

    /// The model's tensors.
    pub(super) fn tensors_table(&self) -> Table {
        let mut table = Table::new(2, &["Tensor", "Encoding", "Bits per weight", "Weighted error", "Damage"]);
        for tensor in &self.tensors {
            table.row([
                tensor.name.clone(),
                tensor.encoding.clone(),
                significant(tensor.bits_per_weight, 4),
                tensor.relative_error.map_or_else(String::new, |error| significant(error, 3)),
                tensor.damage_share.map_or_else(String::new, percent),
            ]);
        }
        table
    }

    /// What went in.
    pub(super) fn provenance(&self) -> Table {
        let mut table = Table::new(9, &["", ""]);
        model_rows(&mut table, "Model", &self.model);
        if let Some(original) = &self.original {
            model_rows(&mut table, "Original", original);
        }
        text_rows(&mut table, "Text", &self.text);
        if let Some(text) = &self.calibration_text {
            text_rows(&mut table, "Calibration text", text);
        }
        table.pair("Scored positions", Some(grouped(self.positions as u64)));
        let saved = self.log_probabilities.as_ref();
        table.pair("Log-probabilities", saved.map(|file| format!("{} ({})", file.path, bytes(file.bytes))));
        run_rows(&mut table, &self.timings, self.peak_memory_bytes);
        table
    }
}

fn descending(quantiles: &Quantiles) -> [f64; 13] {
    let q = quantiles;
    [q.max, q.p99_9, q.p99, q.p95, q.p90, q.p75, q.median, q.p25, q.p10, q.p5, q.p1, q.p0_1, q.min]
}
