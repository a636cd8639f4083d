//! Matrices that read the same input share its Gram matrix, and so its factor.

use super::matrix::Job;
use crate::choices::Rounding;
use llmq_linear_grids::{Factor, Method};
use llmq_plugin_api::sdk::{Context, Error, Kind, Statistic, StatisticKind, Tensor, Unit};
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

/// What is known of an input.
pub struct Known<'a> {
    /// The Gram matrix, `[columns, columns]`.
    pub gram: &'a [f32],
    /// Its factor, or why errors cannot be fed back. Absent if nobody asked for it.
    pub factor: Option<Result<Factor, String>>,
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

/// The values of a Gram matrix, or why it says nothing. Fails if it is not one of these inputs.
pub fn values<'a>(gram: Option<&Statistic<'a>>, tensor: &Tensor) -> Result<Result<&'a [f32], String>, Error> {
    let Some(gram) = gram else { return Ok(Err("there is no Gram matrix of its input".into())) };
    if gram.count == 0 {
        return Ok(Err("no token of the calibration reached it".into()));
    }
    let (name, columns) = (tensor.name, tensor.columns());
    if columns.checked_mul(columns) != Some(gram.values.len()) {
        let message = format!(
            "the Gram matrix of tensor `{name}` has shape {:?}; its {columns} inputs need [{columns}, {columns}]",
            gram.shape
        );
        return Err(Error::new(Kind::MissingStatistics, message).subject(name).hint("calibrate this very model"));
    }
    Ok(match gram.values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!("its Gram matrix holds {} at place {at}", gram.values[at])),
        None => Ok(gram.values),
    })
}

impl Shared<'_> {
    /// What is known of the input, or why the matrices must be rounded to nearest. Fails if the host stops.
    pub fn known(&self, cx: &Context, rounding: Rounding) -> Result<Result<Known<'_>, String>, Error> {
        let Some(job) = self.jobs.first() else { return Ok(Err("there is no matrix".into())) };
        let gram = match values(self.gram, job.tensor)? {
            Ok(gram) => gram,
            Err(reason) => return Ok(Err(reason)),
        };
        if rounding == Rounding::Nearest {
            return Ok(Ok(Known { gram, factor: None }));
        }
        let threads = Threads::new(cx);
        let factor = match Factor::of(gram, job.linear.columns, &self.method, &threads) {
            Ok(Some(factor)) => Ok(factor),
            Ok(None) => return Err(threads.reason()),
            Err(refused) => Err(refused.to_string()),
        };
        Ok(Ok(Known { gram, factor: Some(factor) }))
    }
}
