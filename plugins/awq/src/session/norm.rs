//! The norm in front of a group of channels, and scales behind which it is stored without rounding.

use super::AwqSession;
use half::{bf16, f16};
use llmq_channel_scales::storable;
use llmq_plugin_api::sdk::{Error, Unit};
use llmq_plugin_api::wire::{Producer, SmoothingGroup, SmoothingKind};
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::files::Place;
use llmq_safetensors_folders::work::weights;

/// A norm in front of the channels, and how it will be stored.
pub struct Norm {
    weights: Vec<f32>,
    /// What the model adds to each.
    offset: f32,
    dtype: Dtype,
}

impl Norm {
    /// The norm in front of a group, if it is one and is stored plainly.
    pub fn of(session: &AwqSession, unit: &Unit, group: &SmoothingGroup) -> Result<Option<Norm>, Error> {
        // Where a norm has a bias too, the weight decides; the bias is rounded as any other stored number.
        let is_whole = |producer: &&Producer| {
            producer.first_row == 0 && (producer.run >= group.channels || producer.stride == producer.run)
        };
        let weight = group.producers.first().filter(is_whole).filter(|_| group.kind == SmoothingKind::Norm);
        let Some(producer) = weight else { return Ok(None) };
        let Some(Place::Plain { dtype, .. }) = session.layout.places.get(producer.tensor as usize) else {
            return Ok(None);
        };
        let tensor = unit.tensor(producer.tensor as usize)?;
        let count = tensor.rows() * tensor.columns();
        if count != group.channels as usize {
            return Ok(None);
        }
        let weights = weights::read(tensor, 0, count)?;
        Ok(Some(Norm { weights, offset: producer.offset as f32, dtype: *dtype }))
    }

    /// The scales, moved to where the norm divided by them is stored as it is.
    pub fn settle(&self, mut scales: Vec<f32>) -> Vec<f32> {
        let Norm { weights, offset, dtype } = self;
        match dtype {
            Dtype::F16 => storable(&mut scales, weights, *offset, |value| f16::from_f32(value).to_f32()),
            Dtype::Bf16 => storable(&mut scales, weights, *offset, |value| bf16::from_f32(value).to_f32()),
            _ => {}
        }
        scales
    }
}
