//! Matrices that read the same input share its Gram matrix, and so its factor.

use super::matrix::Job;
use llmq_linear_grids::{Factor, Method};
use llmq_plugin_api::sdk::{Context, Error, Kind, Statistic, StatisticKind, Unit};
use llmq_safetensors_folders::work::Threads;

/// Matrices of one Gram matrix and one method.
pub struct Shared<'a> {
    /// The Gram matrix, if there is one.
    pub gram: Option<&'a Statistic<'a>>,
    /// How all of them are rounded.
    pub method: Method,
    /// The matrices.
    pub jobs: Vec<Job<'a>>,
}

/// Puts together what shares a Gram matrix and a method, in model order. The host hands one statistic to several tensors
/// by handing the same memory.
pub fn by_gram<'a>(unit: &'a Unit<'a>, jobs: Vec<Job<'a>>) -> Vec<Shared<'a>> {
    let mut all: Vec<Shared<'a>> = Vec::new();
    for job in jobs {
        let gram = unit.statistic(job.tensor.index, StatisticKind::Gram);
        let same = |shared: &&mut Shared<'a>| {
            let memory =
                |statistic: &Statistic<'a>| (statistic.values.as_ptr(), statistic.values.len(), statistic.count);
            shared.gram.map(memory) == gram.map(memory)
                && shared.method == job.method
                && shared.jobs.iter().all(|other| other.linear.columns == job.linear.columns)
        };
        match all.iter_mut().find(same) {
            Some(shared) => shared.jobs.push(job),
            None => all.push(Shared { gram, method: job.method, jobs: vec![job] }),
        }
    }
    all
}

impl Shared<'_> {
    /// The Gram matrix, `[columns, columns]`; empty if there is none.
    pub fn values(&self) -> &[f32] {
        self.gram.map_or(&[], |gram| gram.values)
    }

    /// The factor, or why the matrices must be rounded to nearest. Fails if the host stops, or hands in something else than
    /// a Gram matrix of these inputs.
    pub fn factor(&self, cx: &Context) -> Result<Result<Factor, String>, Error> {
        let Some(gram) = self.gram else { return Ok(Err("there is no Gram matrix of its input".into())) };
        let columns = self.jobs.first().map_or(0, |job| job.linear.columns);
        if gram.count == 0 {
            return Ok(Err("no token of the calibration reached it".into()));
        }
        if columns.checked_mul(columns) != Some(gram.values.len()) {
            let name = self.jobs.first().map_or("", |job| job.tensor.name);
            let message = format!(
                "the Gram matrix of tensor `{name}` has shape {:?}; its {columns} inputs need [{columns}, {columns}]",
                gram.shape
            );
            return Err(Error::new(Kind::MissingStatistics, message).subject(name).hint("calibrate this very model"));
        }
        let threads = Threads::new(cx);
        let method = Method { damp: damp(self.method.damp, gram.count, columns), ..self.method };
        match Factor::of(gram.values, columns, &method, &threads) {
            Ok(Some(factor)) => Ok(Ok(factor)),
            Ok(None) => Err(threads.reason()),
            Err(refused) => Ok(Err(refused.to_string())),
        }
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
