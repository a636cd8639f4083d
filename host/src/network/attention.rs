//! Attention of a layer, from its tensors and the family's rules.

use super::Source;
use crate::failure::Failure;
use crate::model::family::{QkvOrder, Rotates};
use llmq_forward::{Attention, FusedOrder, Latent, LatentQueries, Projections, Rope};
use llmq_plugin_api::wire::Role;
use serde_json::Value;

impl Source<'_> {
    pub(super) fn attention(&self, layer: u32) -> Result<Attention, Failure> {
        let geometry = &self.description.hyperparameters.attention;
        let heads = geometry.heads as usize;
        let window = geometry.windows.get(layer as usize).copied().flatten();
        let rope = self.rope(layer, window.is_some())?;
        let linear = |role| self.linear(&role, Some(layer), None);
        let output = linear(Role::AttnOutput)?;
        let sub_norm = self.norm(&Role::AttnSubNorm, Some(layer))?;
        let sinks = self.vector(&Role::AttnSinks, layer);
        if self.has(&Role::AttnKvA, layer) {
            let latent = self.latent(layer)?;
            let head_dim = latent.plain_dim + latent.rotated_dim;
            let scale = (head_dim as f64).powf(-0.5) * self.latent_temperature()?;
            return Ok(Attention {
                heads,
                kv_heads: heads,
                head_dim,
                value_dim: output.inputs / heads,
                projections: Projections::Latent(Box::new(latent)),
                q_norm: None,
                k_norm: None,
                rope,
                scale: scale as f32,
                cap: None,
                window: window.map(|window| window as usize),
                sinks,
                clamp: None,
                sub_norm,
                output,
            });
        }
        let head_dim = geometry.head_dim as usize;
        let projections = if self.has(&Role::AttnQkv, layer) {
            let order = match self.rules.qkv {
                QkvOrder::Stacked => FusedOrder::Stacked,
                QkvOrder::ByGroup => FusedOrder::ByGroup,
            };
            Projections::Fused { qkv: linear(Role::AttnQkv)?, order }
        } else {
            Projections::Separate { q: linear(Role::AttnQ)?, k: linear(Role::AttnK)?, v: linear(Role::AttnV)? }
        };
        Ok(Attention {
            heads,
            kv_heads: geometry.kv_heads as usize,
            head_dim,
            value_dim: head_dim,
            projections,
            q_norm: self.head_norm(&Role::AttnQNorm, layer, head_dim)?,
            k_norm: self.head_norm(&Role::AttnKNorm, layer, head_dim)?,
            rope,
            scale: self.factor(&self.rules.attention_scale, (head_dim as f64).powf(-0.5))?,
            cap: self.bound(&self.rules.attention_cap)?,
            window: window.map(|window| window as usize),
            sinks,
            clamp: self.bound(&self.rules.qkv_clamp)?,
            sub_norm,
            output,
        })
    }

    fn latent(&self, layer: u32) -> Result<Latent, Failure> {
        let linear = |role| self.linear(&role, Some(layer), None);
        let queries = if self.has(&Role::AttnQA, layer) {
            let norm = self.norm(&Role::AttnQANorm, Some(layer))?;
            let norm = norm.ok_or_else(|| self.no_norm("the two query projections", layer))?;
            LatentQueries::LowRank { a: linear(Role::AttnQA)?, norm, b: linear(Role::AttnQB)? }
        } else {
            LatentQueries::Direct(linear(Role::AttnQ)?)
        };
        let kv_a_norm = self.norm(&Role::AttnKvANorm, Some(layer))?;
        let count = |key| self.fields.count(key, 1..=1 << 16);
        Ok(Latent {
            queries,
            kv_a: linear(Role::AttnKvA)?,
            kv_a_norm: kv_a_norm.ok_or_else(|| self.no_norm("the two key-value projections", layer))?,
            kv_b: linear(Role::AttnKvB)?,
            rank: count("kv_lora_rank")? as usize,
            plain_dim: count("qk_nope_head_dim")? as usize,
            rotated_dim: count("qk_rope_head_dim")? as usize,
        })
    }

    fn no_norm(&self, place: &str, layer: u32) -> Failure {
        Failure::new(crate::failure::Class::General, format!("layer {layer} has no norm between {place}"))
    }

    /// The rotation of a layer, if it rotates.
    fn rope(&self, layer: u32, windowed: bool) -> Result<Option<Rope>, Failure> {
        let hyper = &self.description.hyperparameters;
        let rotates = match self.rules.rotates {
            Rotates::All => true,
            Rotates::Windowed => windowed,
            Rotates::WindowedIfAny => windowed || hyper.attention.windows.iter().all(Option::is_none),
            Rotates::Marked => self.marked(layer)?,
        };
        let rope = match &hyper.sliding_rope {
            Some(sliding) if windowed => Some(sliding),
            _ => hyper.rope.as_ref(),
        };
        rope.filter(|_| rotates).map(|rope| self.rotation(rope)).transpose()
    }

    /// Whether config.json marks a layer as one that rotates.
    fn marked(&self, layer: u32) -> Result<bool, Failure> {
        if let Some(Value::Array(marks)) = self.config.get("no_rope_layers") {
            return Ok(marks.get(layer as usize).and_then(Value::as_u64) != Some(0));
        }
        let every = self.fields.count("no_rope_layer_interval", 1..=4096)?;
        Ok(!(layer + 1).is_multiple_of(every))
    }
}
