//! What is told of every matrix: settings, error at the output, damping, tokens, and what was rounded to nearest and why.

use super::matrix::{Job, Outcome};
use super::shared::Shared;
use llmq_linear_grids::Factor;
use llmq_plugin_api::wire::UnitReport;
use serde_json::{Value, json};

/// Notes one matrix.
pub fn note(report: &mut UnitReport, job: &Job, shared: &Shared, factor: Result<&Factor, &String>, outcome: &Outcome) {
    let module = &job.linear.module;
    let relative = match (factor, outcome.size > 0.0) {
        (Ok(_), true) => Value::from(outcome.error / outcome.size),
        (Ok(_), false) => Value::from(0.0),
        // Without a Gram matrix nobody knows what the rounding does to the output.
        (Err(_), _) => Value::Null,
    };
    let figures = json!({
        "bits": job.linear.settings.bits,
        "group_size": job.linear.settings.group,
        "sym": job.linear.settings.symmetric,
        "damp": factor.map(Factor::damp).ok(),
        "tokens": shared.gram.map_or(0, |gram| gram.count),
        "relative_error": relative,
        "fallback": factor.err(),
    });
    report.figures.insert(module.clone(), figures);
    if let Err(reason) = factor {
        report.warnings.push(format!("{module} was rounded to nearest: {reason}"));
    }
    if outcome.moved > 0 {
        let weights = job.linear.rows * job.linear.columns;
        report.warnings.push(format!(
            "{module}: {} of {weights} weights lost one step, because checkpoint format gptq cannot hold a zero of 0",
            outcome.moved
        ));
    }
}
