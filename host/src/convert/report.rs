//! Results of `convert`: those of the job, and what went in.

use super::{Input, SecondLoss};
use crate::job::{JobReport, PlanReport};
use serde::Serialize;

/// What is told beside the job's own result.
#[derive(Debug, Clone, Serialize)]
struct Beside {
    /// What went in.
    input: Input,
    /// Why this level, where none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    level_choice: Option<String>,
    /// Tensors that were quantized and lose a second time.
    reencoded_tensors: usize,
}

impl Beside {
    fn new(input: Input, level_choice: Option<String>, second: Option<&SecondLoss>) -> Beside {
        Beside { input, level_choice, reencoded_tensors: second.map_or(0, SecondLoss::count) }
    }
}

/// A finished conversion.
#[derive(Debug, Clone, Serialize)]
pub struct Conversion {
    /// The job.
    #[serde(flatten)]
    pub job: JobReport,
    #[serde(flatten)]
    beside: Beside,
}

/// A planned one.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedConversion {
    /// The plan.
    #[serde(flatten)]
    pub plan: PlanReport,
    #[serde(flatten)]
    beside: Beside,
}

impl Conversion {
    /// A job's report with what went in.
    pub fn new(job: JobReport, input: Input, level_choice: Option<String>, second: Option<&SecondLoss>) -> Conversion {
        Conversion { job, beside: Beside::new(input, level_choice, second) }
    }

    /// What went in.
    pub fn input(&self) -> &Input {
        &self.beside.input
    }
}

impl PlannedConversion {
    /// A plan with what goes in.
    pub fn new(
        plan: PlanReport,
        input: Input,
        level_choice: Option<String>,
        second: Option<&SecondLoss>,
    ) -> PlannedConversion {
        PlannedConversion { plan, beside: Beside::new(input, level_choice, second) }
    }
}
