//! The numbers of a made-up model: mostly normal noise, with every kind of trouble somewhere.

use super::Noise;
use half::{bf16, f16};
use llmq_plugin_api::wire::{Role, TensorDescription};

/// Weights after which the numbers repeat: no tensor of the two specimens whose values count is larger.
const PERIOD: usize = 1 << 17;

/// Bytes in the tensor's dtype, and the numbers they hold.
pub fn make((index, tensor): (usize, &TensorDescription)) -> (Vec<u8>, Vec<f32>) {
    let mut noise = Noise::new(index as u64 + 1);
    let columns = tensor.columns().max(1) as usize;
    let count = tensor.elements() as usize;
    let wanted = (0..count.min(PERIOD)).map(|i| one(tensor, i / columns, i % columns, &mut noise));
    let (bytes, values) = match tensor.dtype.as_str() {
        "BF16" => wanted.map(bf16::from_f32).map(|w| (w.to_le_bytes(), w.to_f32())).fold(Default::default(), gather),
        "F16" => wanted.map(f16::from_f32).map(|w| (w.to_le_bytes(), w.to_f32())).fold(Default::default(), gather),
        _ => wanted.map(|w| (w.to_le_bytes(), w)).fold(Default::default(), gather),
    };
    let periods = count.div_ceil(PERIOD);
    let mut repeated = (bytes.repeat(periods), values.repeat(periods));
    let size = bytes.len() / values.len().max(1);
    repeated.0.truncate(count * size);
    repeated.1.truncate(count);
    repeated
}

fn gather<const N: usize>(mut all: (Vec<u8>, Vec<f32>), (bytes, value): ([u8; N], f32)) -> (Vec<u8>, Vec<f32>) {
    all.0.extend(bytes);
    all.1.push(value);
    all
}

fn one(tensor: &TensorDescription, row: usize, column: usize, noise: &mut Noise) -> f32 {
    let normal = noise.normal();
    let tame = 0.02 * normal;
    if tensor.role.is_norm() {
        return 1.0 + 0.1 * normal;
    }
    match (tensor.layer.unwrap_or(0), &tensor.role) {
        (0, Role::AttnOutput) => 0.0,
        (1, Role::AttnK) => 0.5,
        // Tails: one weight in some hundreds is a hundred times its neighbours.
        (1, Role::FfnUp) => {
            if normal > 2.7 {
                100.0 * tame
            } else {
                tame
            }
        }
        (1, Role::FfnGate) if row % 3 == 1 => 0.0,
        (1, Role::AttnQ) => {
            if column.is_multiple_of(2) {
                0.01
            } else {
                -0.01
            }
        }
        // Rows of very different size.
        (1, Role::FfnDown) => tame * [1.0, 1e-4, 30.0][row % 3],
        _ => tame,
    }
}
