//! Matrices that read the same input share its Gram matrix, and with it what is computed from it once.

use llmq_plugin_api::sdk::{Error, Kind, Statistic, StatisticKind, Tensor, Unit};

/// Jobs of one Gram matrix.
pub struct Shared<'a, J> {
    /// The Gram matrix, if there is one.
    pub gram: Option<&'a Statistic<'a>>,
    /// The jobs, at least one.
    pub jobs: Vec<J>,
}

/// Puts together what shares a Gram matrix and is `alike`, in model order; `tensor` is the index of a job's tensor. The host
/// hands one statistic to several tensors by handing the same memory.
pub fn by_gram<'a, J>(
    unit: &'a Unit<'a>,
    jobs: Vec<J>,
    tensor: impl Fn(&J) -> usize,
    alike: impl Fn(&J, &J) -> bool,
) -> Vec<Shared<'a, J>> {
    let memory = |statistic: &Statistic<'a>| (statistic.values.as_ptr(), statistic.values.len(), statistic.count);
    let mut all: Vec<Shared<'a, J>> = Vec::new();
    for job in jobs {
        let gram = unit.statistic(tensor(&job), StatisticKind::Gram);
        let same = |shared: &&mut Shared<'a, J>| {
            shared.gram.map(memory) == gram.map(memory) && shared.jobs.iter().all(|other| alike(other, &job))
        };
        match all.iter_mut().find(same) {
            Some(shared) => shared.jobs.push(job),
            None => all.push(Shared { gram, jobs: vec![job] }),
        }
    }
    all
}

/// The values of a Gram matrix, or why it says nothing. Fails if it is not one of this tensor's so many inputs.
pub fn gram_values<'a>(
    gram: Option<&Statistic<'a>>,
    tensor: &Tensor,
    columns: usize,
) -> Result<Result<&'a [f32], String>, Error> {
    let Some(gram) = gram else { return Ok(Err("there is no Gram matrix of its input".into())) };
    if gram.count == 0 {
        return Ok(Err("no token of the calibration reached it".into()));
    }
    let name = tensor.name;
    if columns.checked_mul(columns) != Some(gram.values.len()) {
        let message = format!(
            "the Gram matrix of tensor `{name}` has shape {:?}; its {columns} inputs need [{columns}, {columns}]",
            gram.shape
        );
        return Err(Error::new(Kind::MissingStatistics, message).subject(name).hint("calibrate this very model"));
    }
    Ok(Ok(gram.values))
}
