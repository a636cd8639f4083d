//! A finished matrix into its four slots.

use super::matrix::{Coded, Job};
use crate::packed::{RUN, pack_run, pack_zeros};
use half::f16;
use llmq_plugin_api::sdk::{Context, Error, Output};

/// Runs of inputs that one thread packs at a time.
const RUNS: usize = 4;

/// Writes codes, zeros, scales and groups.
pub fn write(cx: &Context, job: &Job, coded: &Coded, out: &Output) -> Result<(), Error> {
    let (columns, rows, groups) = (job.linear.columns, job.linear.rows, job.linear.groups);
    let bits = job.linear.settings.bits;
    let runs = columns / RUN;
    cx.parallel_for(runs.div_ceil(RUNS), |part| {
        let mut bytes = Vec::new();
        for run in part * RUNS..((part + 1) * RUNS).min(runs) {
            pack_run(coded.codes, columns, run, bits, &mut bytes);
            out.write(job.slots.qweight, (run * bytes.len()) as u64, &bytes)?;
        }
        Ok(())
    })?;
    for group in 0..groups {
        let steps = || coded.steps.iter().skip(group).step_by(groups);
        let scales: Vec<u8> = steps().flat_map(|steps| f16::from_f32(steps.scale).to_le_bytes()).collect();
        out.write(job.slots.scales, (group * rows * 2) as u64, &scales)?;
        let zeros = pack_zeros(steps().map(|steps| steps.zero), bits, job.zeros);
        out.write(job.slots.qzeros, (group * zeros.len()) as u64, &zeros)?;
    }
    let assigned: Vec<u8> = coded.groups.iter().flat_map(|group| group.to_le_bytes()).collect();
    out.write(job.slots.g_idx, 0, &assigned)
}
