//! Scales judged by what rounding then costs at the outputs of all matrices that read the channels.

use super::ROWS;
use super::group::Side;
use super::norm::Norm;
use llmq_channel_scales::{Search, loss};
use llmq_linear_grids::output_size;
use llmq_plugin_api::sdk::{Context, Error};
use llmq_safetensors_folders::work::weights;
use std::sync::Mutex;

/// Rows of each matrix that rank scales: every k-th, so that all heads and all kinds of outputs are among them.
const SOME: usize = 128;
/// Rows of all matrices together, and of each at least: a mixture has hundreds of matrices that read one group of channels.
const TOGETHER: usize = 512;
const FEWEST: usize = 16;

/// Judges scales of one group.
pub struct Judge<'a, 'c> {
    cx: &'a Context<'c>,
    sides: &'a [Side<'a>],
    norm: &'a Option<Norm>,
    /// Some rows of each side.
    some: Vec<Vec<f32>>,
    /// Of each side: what it puts out, and the loss of every list of scales that was judged on all rows.
    pub exact: Vec<(f64, Vec<f64>)>,
}

impl<'a, 'c> Judge<'a, 'c> {
    /// Reads some rows of every side.
    pub fn new(cx: &'a Context<'c>, sides: &'a [Side<'a>], norm: &'a Option<Norm>) -> Result<Judge<'a, 'c>, Error> {
        let some = sides.iter().map(|side| some_rows(side, sides.len())).collect::<Result<_, Error>>()?;
        Ok(Judge { cx, sides, norm, some, exact: Vec::new() })
    }
}

/// The rows of a side, one of so many, that rank scales.
pub fn some_rows(side: &Side, sides: usize) -> Result<Vec<f32>, Error> {
    let (rows, columns) = (side.linear.rows, side.linear.columns);
    let some = (TOGETHER / sides.max(1)).clamp(FEWEST, SOME);
    let mut values = Vec::with_capacity(rows.min(some) * columns);
    for row in (0..rows).step_by(rows.div_ceil(some).max(1)) {
        values.extend(weights::outputs(side.tensor, side.linear.turned, row, columns)?);
    }
    Ok(values)
}

/// The scale of each column of a side.
pub fn of_columns(scales: &[f32], side: &Side) -> Vec<f32> {
    side.channels.iter().map(|channel| scales[*channel]).collect()
}

impl Search for Judge<'_, '_> {
    type Stopped = Error;

    fn roughly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Error> {
        let sides = self.sides.len();
        let losses: Vec<Mutex<f64>> = (0..scales.len() * sides).map(|_| Mutex::new(0.0)).collect();
        self.cx.parallel_for(losses.len(), |number| {
            let side = &self.sides[number % sides];
            let scales = of_columns(&scales[number / sides], side);
            let of_some = loss(&self.some[number % sides], &scales, side.gram, &side.method);
            // As if all rows were there, so that tall and wide matrices count alike.
            let share = self.some[number % sides].len() as f64 / (side.linear.rows * side.linear.columns) as f64;
            *losses[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = of_some / share;
            Ok(())
        })?;
        let losses: Vec<f64> = losses.into_iter().map(|l| l.into_inner().unwrap_or(f64::NAN)).collect();
        Ok(losses.chunks(sides).map(|losses| losses.iter().sum()).collect())
    }

    fn exactly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Error> {
        for side in self.sides {
            let (rows, columns) = (side.linear.rows, side.linear.columns);
            let scales: Vec<Vec<f32>> = scales.iter().map(|scales| of_columns(scales, side)).collect();
            let blocks: Vec<Mutex<(f64, Vec<f64>)>> = (0..rows.div_ceil(ROWS)).map(|_| Mutex::default()).collect();
            self.cx.parallel_for(blocks.len(), |number| {
                let first = number * ROWS;
                let weights =
                    weights::outputs(side.tensor, side.linear.turned, first, ROWS.min(rows - first) * columns)?;
                let size = output_size(&weights, side.gram, columns);
                let losses = scales.iter().map(|scales| loss(&weights, scales, side.gram, &side.method)).collect();
                *blocks[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = (size, losses);
                Ok(())
            })?;
            let mut sum = (0.0, vec![0.0; scales.len()]);
            for block in blocks {
                // In the order of rows, so that the sum does not depend on the threads.
                let (size, losses) = block.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
                sum.0 += size;
                sum.1.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
            }
            self.exact.push(sum);
        }
        Ok((0..scales.len()).map(|number| self.exact.iter().map(|(_, losses)| losses[number]).sum()).collect())
    }

    fn settle(&self, scales: Vec<f32>) -> Vec<f32> {
        match self.norm {
            Some(norm) => norm.settle(scales),
            None => scales,
        }
    }
}
