//! What is told of every matrix: settings, error at the output step by step, tokens, and what was rounded to nearest and why.

use super::matrix::{Job, Outcome};
use super::shared::Known;
use crate::levels::BITS;
use crate::plan::Linear;
use llmq_linear_grids::Factor;
use llmq_plugin_api::sdk::{StatisticKind, Unit};
use llmq_plugin_api::wire::UnitReport;
use llmq_safetensors_folders::files::{Layout, Place};
use llmq_safetensors_folders::work::{Shared, Why};
use serde_json::{Value, json};

/// A loss relative to the output; null without one.
pub fn relative(loss: f64, size: f64) -> Value {
    if size > 0.0 { Value::from(loss / size) } else { Value::from(0.0) }
}

/// One matrix that is done.
pub struct Told<'a> {
    /// The matrix.
    pub job: &'a Job<'a>,
    /// Its Gram matrix.
    pub shared: &'a Shared<'a, Job<'a>>,
    /// What is known of its input, or why nothing is.
    pub known: Result<&'a Known<'a>, &'a Why>,
    /// What rounding did.
    pub outcome: Outcome,
    /// How long it took; one matrix of those that share a factor has the time of that as well.
    pub seconds: f64,
}

/// Notes one matrix. `loss`, `samples`, `damp` and `time` are called as in the reports of GPTQ.
pub fn note(report: &mut UnitReport, told: &Told) {
    let Told { job, shared, known, outcome, seconds } = told;
    let module = &job.linear.module;
    let tokens = shared.gram.map_or(0, |gram| gram.count);
    let share = |loss: Option<f64>| match (known, loss) {
        (Ok(_), Some(loss)) => relative(loss, outcome.size),
        // Without a Gram matrix nobody knows what the rounding does to the output.
        _ => Value::Null,
    };
    let factor = known.ok().and_then(|known| known.factor.as_ref());
    let refused = known.err().and_then(Why::forced);
    let refused = refused.or(factor.and_then(|factor| factor.as_ref().err()).map(String::as_str));
    let [fed, cut, all] = outcome.blocks;
    let rounding = match (fed, cut) {
        (fed, _) if fed == all => "feedback",
        (0, cut) if cut == all => "clipped",
        (0, 0) => "nearest",
        _ => "mixed",
    };
    let figures = json!({
        "loss": known.map_or(Value::Null, |_| Value::from(outcome.error / (tokens.max(1) as f64).powi(2))),
        "samples": tokens,
        "damp": factor.and_then(|factor| factor.as_ref().ok()).map(Factor::damp),
        "time": (seconds * 1e3).round() / 1e3,
        "bits": BITS,
        "group_size": job.linear.said,
        "sym": job.method.grid.symmetric,
        "rounding": rounding,
        "relative_error_nearest": share(Some(outcome.nearest)),
        "relative_error_clipped": share(outcome.clipped),
        "relative_error": share(Some(outcome.error)),
        "fallback": refused,
    });
    report.figures.insert(module.clone(), figures);
    if let Some(reason) = refused {
        report.fall_back(module, "was rounded to nearest", reason);
    }
}

/// Names experts that saw fewer tokens than they have inputs: what their Gram matrix leaves open, rounding decides blindly.
pub fn few_tokens(report: &mut UnitReport, unit: &Unit, layout: &Layout<Linear>) {
    let seen = |tensor: usize| unit.statistic(tensor, StatisticKind::Gram).map(|gram| gram.count);
    let few: Vec<(u64, &str)> = unit
        .tensors
        .iter()
        .filter_map(|tensor| {
            let Some(Place::Packed { matrix, .. }) = layout.places.get(tensor.index) else { return None };
            let count = seen(tensor.index).filter(|count| *count > 0 && *count < matrix.columns as u64)?;
            Some((count, matrix.module.as_str()))
        })
        .collect();
    if let Some((count, module)) = few.iter().min() {
        report.warnings.push(format!(
            "{} matrices of {} saw fewer tokens than they have inputs, {module} with {count} the fewest: calibrate with more text",
            few.len(),
            unit.id
        ));
    }
}
