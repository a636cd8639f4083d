//! What matrices of one Gram matrix share: its values and its factor.

use super::matrix::Job;
use crate::choices::{Choices, Rounding};
use llmq_linear_grids::Factor;
use llmq_plugin_api::sdk::{Context, Error, Statistic, Tensor};
use llmq_safetensors_folders::work::{Shared, Threads, Why, gram_values};

/// What is known of an input.
pub struct Known<'a> {
    /// The Gram matrix, `[columns, columns]`.
    pub gram: &'a [f32],
    /// Its factor, or why errors cannot be fed back. Absent if nobody asked for it.
    pub factor: Option<Result<Factor, String>>,
}

/// The values of a Gram matrix, or why it says nothing. Fails if it is not one of these inputs.
pub fn values<'a>(
    gram: Option<&Statistic<'a>>,
    tensor: &Tensor,
    columns: usize,
) -> Result<Result<&'a [f32], String>, Error> {
    Ok(gram_values(gram, tensor, columns)?.and_then(|gram| match gram.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!("its Gram matrix holds {} at place {at}", gram[at])),
        None => Ok(gram),
    }))
}

/// What is known of the input, or why the matrices are rounded to nearest. Fails if the host stops.
pub fn known<'a>(
    shared: &Shared<'a, Job<'a>>,
    cx: &Context,
    choices: &Choices,
) -> Result<Result<Known<'a>, Why>, Error> {
    if choices.alone() {
        return Ok(Err(Why::Wanted));
    }
    let Some(job) = shared.jobs.first() else { return Ok(Err(Why::Forced("there is no matrix".into()))) };
    let gram = match values(shared.gram, job.tensor, job.linear.columns)? {
        Ok(gram) => gram,
        Err(reason) => return Ok(Err(Why::Forced(reason))),
    };
    if choices.rounding == Rounding::Nearest {
        return Ok(Ok(Known { gram, factor: None }));
    }
    let threads = Threads::new(cx);
    let columns = job.linear.columns;
    let method = job.method.for_tokens(shared.gram.map_or(0, |gram| gram.count), columns);
    let factor = match Factor::of(gram, columns, &method, &threads) {
        Ok(Some(factor)) => Ok(factor),
        Ok(None) => return Err(threads.reason()),
        Err(refused) => Err(refused.to_string()),
    };
    Ok(Ok(Known { gram, factor: Some(factor) }))
}
