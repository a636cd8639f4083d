//! What matrices of one Gram matrix share: its factor.

use super::matrix::Job;
use crate::choices::Rounding;
use llmq_linear_grids::Factor;
use llmq_plugin_api::sdk::{Context, Error};
use llmq_safetensors_folders::work::{Shared, Threads, Why, gram_values};

/// A Gram matrix, `[columns, columns]`, with its factor.
pub type Known<'a> = (Factor, &'a [f32]);

/// The factor, or why the matrices are rounded to nearest. Fails if the host stops, or hands in something else than a Gram
/// matrix of these inputs.
pub fn known<'a>(
    shared: &Shared<'a, Job<'a>>,
    cx: &Context,
    rounding: Rounding,
) -> Result<Result<Known<'a>, Why>, Error> {
    if rounding == Rounding::Nearest {
        return Ok(Err(Why::Wanted));
    }
    let Some(job) = shared.jobs.first() else { return Ok(Err(Why::Forced("there is no matrix".into()))) };
    let gram = match gram_values(shared.gram, job.tensor, job.linear.columns)? {
        Ok(gram) => gram,
        Err(reason) => return Ok(Err(Why::Forced(reason))),
    };
    let columns = job.linear.columns;
    let tokens = shared.gram.map_or(0, |gram| gram.count);
    let threads = Threads::new(cx);
    let method = job.method.for_tokens(tokens, columns);
    match Factor::of(gram, columns, &method, &threads) {
        Ok(Some(factor)) => Ok(Ok((factor, gram))),
        Ok(None) => Err(threads.reason()),
        Err(refused) => Ok(Err(Why::Forced(refused.to_string()))),
    }
}
