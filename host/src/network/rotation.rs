//! Rotation with the context extensions that config.json states.

use super::Source;
use crate::failure::{Class, Failure};
use llmq_forward::{Extension, Rope};
use llmq_plugin_api::wire;
use serde_json::Value;

impl Source<'_> {
    pub(super) fn rotation(&self, rope: &wire::Rope) -> Result<Rope, Failure> {
        Ok(Rope {
            theta: rope.theta,
            dimensions: rope.dimensions as usize,
            interleaved: rope.layout == "interleaved",
            extension: match &rope.scaling {
                None => Extension::None,
                Some(scaling) => self.extension(scaling)?,
            },
        })
    }

    fn extension(&self, scaling: &wire::RopeScaling) -> Result<Extension, Failure> {
        let context = f64::from(self.description.hyperparameters.context_length);
        let original = scaling.original_context_length.map_or(context, f64::from);
        let factor = scaling.factor.unwrap_or(context / original);
        Ok(match scaling.kind.as_str() {
            "linear" => Extension::Linear { factor },
            "dynamic" => Extension::Dynamic { factor, context: original },
            "yarn" => Extension::Yarn {
                factor,
                original,
                beta_fast: scaling.beta_fast.unwrap_or(32.0),
                beta_slow: scaling.beta_slow.unwrap_or(1.0),
                attention_factor: scaling.attention_factor.unwrap_or_else(|| self.yarn_factor(factor)),
                truncate: self.rope_key("truncate").and_then(Value::as_bool).unwrap_or(true),
            },
            "llama3" => Extension::Llama3 {
                factor,
                low: scaling.low_freq_factor.unwrap_or(1.0),
                high: scaling.high_freq_factor.unwrap_or(4.0),
                original,
            },
            "longrope" => Extension::Longrope {
                short: scaling.short_factor.clone(),
                long: scaling.long_factor.clone(),
                original,
                attention_factor: scaling
                    .attention_factor
                    .unwrap_or_else(|| if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original.ln()).sqrt() }),
            },
            other => {
                let problem = format!("the forward pass does not know the context extension `{other}`");
                return Err(Failure::new(Class::General, problem));
            }
        })
    }

    /// Factor of sines and cosines with YaRN, where config.json does not state it.
    fn yarn_factor(&self, factor: f64) -> f64 {
        match (self.rope_number("mscale"), self.rope_number("mscale_all_dim")) {
            (Some(one), Some(all)) => yarn_scale(factor, one) / yarn_scale(factor, all),
            _ => yarn_scale(factor, 1.0),
        }
    }

    /// What latent attention multiplies scores by beside the root of the width (DeepSeek with YaRN).
    pub(super) fn latent_temperature(&self) -> Result<f64, Failure> {
        let scaling = self.description.hyperparameters.rope.as_ref().and_then(|rope| rope.scaling.as_ref());
        let all = self.rope_number("mscale_all_dim");
        Ok(match (scaling.and_then(|scaling| scaling.factor), all) {
            (Some(factor), Some(all)) => yarn_scale(factor, all).powi(2),
            _ => 1.0,
        })
    }

    fn rope_key(&self, key: &str) -> Option<&Value> {
        let places = ["rope_scaling", "rope_parameters"];
        places.iter().find_map(|place| self.config.get(*place)?.get(key)).filter(|value| !value.is_null())
    }

    fn rope_number(&self, key: &str) -> Option<f64> {
        self.rope_key(key).and_then(Value::as_f64).filter(|number| *number != 0.0)
    }
}

fn yarn_scale(factor: f64, weight: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 }
}
