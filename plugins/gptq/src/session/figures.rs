//! What is told of every matrix: settings, error at the output, damping, tokens, time, and what was rounded to nearest and why.

use super::matrix::{Job, Outcome};
use llmq_linear_grids::Factor;
use llmq_plugin_api::wire::UnitReport;
use llmq_safetensors_folders::work::{Shared, Why};
use serde_json::{Value, json};

/// One matrix that is done.
pub struct Told<'a> {
    /// The matrix.
    pub job: &'a Job<'a>,
    /// Its Gram matrix.
    pub shared: &'a Shared<'a, Job<'a>>,
    /// Its factor, or why there is none.
    pub factor: Result<&'a Factor, &'a Why>,
    /// What rounding did.
    pub outcome: Outcome,
    /// How long it took; one matrix of those that share a factor has the time of that as well.
    pub seconds: f64,
}

/// Notes one matrix. `loss`, `samples`, `damp` and `time` are what GPTQModel calls so; its loss is the error over the square
/// of the tokens, of the damped matrix (ours is of the Gram matrix itself: 1.1 to 2 times less for one rounding).
pub fn note(report: &mut UnitReport, told: &Told) {
    let Told { job, outcome, factor, .. } = told;
    let module = &job.linear.module;
    let tokens = told.shared.gram.map_or(0, |gram| gram.count);
    // Without a Gram matrix nobody knows what the rounding does to the output.
    let known = |value: f64| factor.map_or(Value::Null, |_| Value::from(value));
    let refused = factor.err().and_then(Why::forced);
    let figures = json!({
        "loss": known(outcome.error / (tokens.max(1) as f64).powi(2)),
        "samples": tokens,
        "damp": factor.map(Factor::damp).ok(),
        "time": (told.seconds * 1e3).round() / 1e3,
        "bits": job.linear.settings.bits,
        "group_size": job.linear.settings.group,
        "sym": job.linear.settings.symmetric,
        "relative_error": known(if outcome.size > 0.0 { outcome.error / outcome.size } else { 0.0 }),
        "rounding": if factor.is_ok() { "feedback" } else { "nearest" },
        "fallback": refused,
    });
    report.figures.insert(module.clone(), figures);
    if let Some(reason) = refused {
        report.fall_back(module, "was rounded to nearest", reason);
    }
}
