//! Scales judged by what rounding then costs at the outputs of all matrices that read the channels.

use super::ROWS;
use super::group::Side;
use half::{bf16, f16};
use llmq_channel_scales::{Search, loss, storable};
use llmq_linear_grids::output_size;
use llmq_plugin_api::sdk::{Context, Error};
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::work::weights;
use std::sync::Mutex;

/// Rows of each matrix that rank scales: every k-th, so that all heads and all kinds of outputs are among them.
const SOME: usize = 128;

/// A norm in front of the channels, and how it will be stored.
pub struct Norm {
    /// Its weights.
    pub weights: Vec<f32>,
    /// What the model adds to each.
    pub offset: f32,
    /// Stored type.
    pub dtype: Dtype,
}

/// Judges scales of one group.
pub struct Judge<'a, 'c> {
    cx: &'a Context<'c>,
    sides: &'a [Side<'a>],
    norm: Option<Norm>,
    /// Some rows of each side.
    some: Vec<Vec<f32>>,
    /// Of each side: what it puts out, and the loss of every list of scales that was judged on all rows.
    pub exact: Vec<(f64, Vec<f64>)>,
}

impl<'a, 'c> Judge<'a, 'c> {
    /// Reads some rows of every side.
    pub fn new(cx: &'a Context<'c>, sides: &'a [Side<'a>], norm: Option<Norm>) -> Result<Judge<'a, 'c>, Error> {
        let mut some = Vec::with_capacity(sides.len());
        for side in sides {
            let (rows, columns) = (side.linear.rows, side.linear.columns);
            let mut values = Vec::with_capacity(rows.min(SOME) * columns);
            for row in (0..rows).step_by(rows.div_ceil(SOME).max(1)) {
                values.extend(weights::read(side.tensor, row, columns)?);
            }
            some.push(values);
        }
        Ok(Judge { cx, sides, norm, some, exact: Vec::new() })
    }
}

fn of_columns(scales: &[f32], side: &Side) -> Vec<f32> {
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
                let weights = weights::read(side.tensor, first, ROWS.min(rows - first) * columns)?;
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

    fn settle(&self, mut scales: Vec<f32>) -> Vec<f32> {
        if let Some(Norm { weights, offset, dtype }) = &self.norm {
            match dtype {
                Dtype::F16 => storable(&mut scales, weights, *offset, |value| f16::from_f32(value).to_f32()),
                Dtype::Bf16 => storable(&mut scales, weights, *offset, |value| bf16::from_f32(value).to_f32()),
                _ => {}
            }
        }
        scales
    }
}
