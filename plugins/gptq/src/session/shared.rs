//! What matrices of one Gram matrix share: its factor.

use super::matrix::Job;
use llmq_linear_grids::{Factor, Method};
use llmq_plugin_api::sdk::{Context, Error};
use llmq_safetensors_folders::work::{Shared, Threads, gram_values};

/// A Gram matrix, `[columns, columns]`, with its factor.
pub type Known<'a> = (Factor, &'a [f32]);

/// The factor, or why the matrices must be rounded to nearest. Fails if the host stops, or hands in something else than a Gram
/// matrix of these inputs.
pub fn known<'a>(shared: &Shared<'a, Job<'a>>, cx: &Context) -> Result<Result<Known<'a>, String>, Error> {
    let Some(job) = shared.jobs.first() else { return Ok(Err("there is no matrix".into())) };
    let gram = match gram_values(shared.gram, job.tensor)? {
        Ok(gram) => gram,
        Err(reason) => return Ok(Err(reason)),
    };
    let columns = job.linear.columns;
    let tokens = shared.gram.map_or(0, |gram| gram.count);
    let threads = Threads::new(cx);
    let method = Method { damp: damp(job.method.damp, tokens, columns), ..job.method };
    match Factor::of(gram, columns, &method, &threads) {
        Ok(Some(factor)) => Ok(Ok((factor, gram))),
        Ok(None) => Err(threads.reason()),
        Err(refused) => Ok(Err(refused.to_string())),
    }
}

/// The share that is added to the diagonal of the Gram matrix of so many tokens. With fewer tokens than inputs it says
/// nothing about most directions, so the share grows as the tokens become fewer: experts that were hardly ever chosen
/// are rounded nearly as if their inputs were independent, which is nearly to nearest, and never worse for the tokens that
/// did reach them.
fn damp(usual: f32, tokens: u64, columns: usize) -> f32 {
    let missing = columns as f64 / tokens.max(1) as f64;
    (f64::from(usual) * missing.max(1.0)).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::damp;

    #[test]
    fn few_tokens_are_damped_more() {
        assert_eq!(damp(0.05, 1024, 1024), 0.05);
        assert_eq!(damp(0.05, 1 << 20, 64), 0.05);
        assert_eq!(damp(0.05, 256, 1024), 0.2);
        assert_eq!((damp(0.05, 10, 1024), damp(0.05, 1, 4096), damp(0.0, 1, 4096)), (1.0, 1.0, 0.0));
    }
}
