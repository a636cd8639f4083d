//! A finished matrix into its three slots.

use super::matrix::Job;
use crate::packed::{WORD, pack_inputs, pack_zeros};
use half::f16;
use llmq_linear_grids::Steps;
use llmq_plugin_api::sdk::{Context, Error, Output};

/// Inputs that one thread packs at a time.
const INPUTS: usize = 64;

/// Writes codes, zeros and scales. `codes` is `[rows, columns]`, `steps` `[rows, groups]`.
pub fn write(cx: &Context, job: &Job, codes: &[u8], steps: &[Steps], out: &Output) -> Result<(), Error> {
    let (columns, rows, groups) = (job.linear.columns, job.linear.rows, job.linear.groups);
    let bytes_of_input = rows / WORD * 4;
    cx.parallel_for(columns.div_ceil(INPUTS), |part| {
        let first = part * INPUTS;
        let bytes = pack_inputs(codes, columns, first..columns.min(first + INPUTS));
        out.write(job.slots.qweight, (first * bytes_of_input) as u64, &bytes)
    })?;
    for group in 0..groups {
        let steps = || steps.iter().skip(group).step_by(groups);
        let scales: Vec<u8> = steps().flat_map(|steps| f16::from_f32(steps.scale).to_le_bytes()).collect();
        out.write(job.slots.scales, (group * rows * 2) as u64, &scales)?;
        let zeros: Vec<u8> = steps().map(|steps| steps.zero).collect();
        let zeros = pack_zeros(&zeros);
        out.write(job.slots.qzeros, (group * zeros.len()) as u64, &zeros)?;
    }
    Ok(())
}
