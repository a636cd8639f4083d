//! From a model's description to what it computes: the forward pass of [`llmq_forward`], family by family.
//!
//! Everything comes from roles and the family's `[forward]` table; no family is named here.

mod attention;
mod feed_forward;
mod feeds;
mod find;
mod rotation;
mod smoothing;
mod stages;
mod weights;

pub use feeds::{Feed, feeds, head_feed};
pub use smoothing::{groups, smoothing};
pub use stages::{last_input, stages};
pub use weights::SourceRows;

use crate::failure::{Class, Failure};
use crate::model::ModelError;
use crate::model::config::{Fields, class_and_family, text_model_config};
use crate::model::family::{Blocks, Families, ForwardRules, builtin, own};
use find::Found;
use llmq_forward::{Arrangement, Embedding, Head, Layer, Network};
use llmq_plugin_api::wire::{ModelDescription, Role};
use serde_json::{Map, Value};

/// What everything here looks at.
struct Source<'a> {
    description: &'a ModelDescription,
    config: &'a Map<String, Value>,
    fields: Fields<'a>,
    rules: &'a ForwardRules,
    found: Found<'a>,
}

/// What a model computes.
///
/// # Errors
/// Families, and variants of families, that no forward pass is described for; keys of config.json that are missing.
pub fn network(description: &ModelDescription) -> Result<Network, Failure> {
    let config = text_model_config(&description.config)?;
    let (class, family) = class_and_family(&config, Families { own: own()? })?;
    let alike = family.like.as_ref().and_then(|like| builtin().iter().find(|builtin| &builtin.id == like));
    let rules = family.forward.as_ref().or(alike.and_then(|family| family.forward.as_ref()));
    let Some(rules) = rules else { return Err(undescribed(&class, "its family has no [forward] table")) };
    if let Some((key, value)) = rules.unless.iter().find(|(key, value)| {
        config.get(*key).is_some_and(|stated| serde_json::to_value(value).is_ok_and(|value| *stated == value))
    }) {
        return Err(undescribed(&class, &format!("`{key}` is {value} in config.json")));
    }
    let fields = Fields::new(&config, family);
    let found = Found::new(&description.tensors);
    let source = Source { description, config: &config, fields, rules, found };
    source.network()
}

fn undescribed(class: &str, reason: &str) -> Failure {
    Failure::new(Class::General, format!("how a {class} computes is not described here: {reason}"))
        .suggest("calibration and evaluation need it; formats that need neither can still be written")
}

impl Source<'_> {
    fn network(&self) -> Result<Network, Failure> {
        let hyper = &self.description.hyperparameters;
        let (vocab, width) = (hyper.vocab_size as usize, hyper.hidden_size as usize);
        let table = self.found.only(&Role::TokenEmbedding, None)?;
        let positions = self.found.any(&Role::PositionEmbedding, None).map(|t| (t, self.rows(t)));
        let embedding =
            Embedding { table, vocab, width, scale: self.factor(&self.rules.embedding_scale, 1.0)?, positions };
        let head = Head {
            linear: match self.found.any(&Role::OutputHead, None) {
                Some(_) => self.linear(&Role::OutputHead, None, None)?,
                None => llmq_forward::Linear {
                    weight: table,
                    first_row: 0,
                    storage: llmq_forward::Storage::OutputRows,
                    inputs: width,
                    outputs: vocab,
                    bias: None,
                },
            },
            scale: self.factor(&self.rules.logit_scale, 1.0)?,
            cap: self.bound(&self.rules.logit_cap)?,
        };
        let arrangement = match &self.rules.blocks {
            Blocks::Sequential => Arrangement::Sequential,
            Blocks::Parallel => Arrangement::Parallel,
            Blocks::ParallelIf(key) if self.fields.switch(key)? => Arrangement::Parallel,
            Blocks::ParallelIf(_) => Arrangement::Sequential,
        };
        let residual_scale = self.factor(&self.rules.residual_scale, 1.0)?;
        let layers = (0..hyper.layers).map(|layer| {
            let norm = |role| self.norm(&role, Some(layer));
            Ok(Layer {
                arrangement,
                residual_scale,
                attn_norm: norm(Role::AttnNorm)?,
                attention: self.attention(layer)?,
                attn_post_norm: norm(Role::AttnPostNorm)?,
                ffn_norm: norm(Role::FfnNorm)?,
                ffn: self.feed_forward(layer)?,
                ffn_post_norm: norm(Role::FfnPostNorm)?,
            })
        });
        let layers = layers.collect::<Result<_, Failure>>()?;
        Ok(Network { embedding, layers, norm: self.norm(&Role::OutputNorm, None)?, head })
    }

    fn rows(&self, tensor: usize) -> usize {
        self.description.tensors[tensor].rows() as usize
    }

    /// The value of a formula.
    fn factor(&self, formula: &Option<crate::model::family::Factor>, otherwise: f64) -> Result<f32, ModelError> {
        Ok(formula.as_ref().map_or(Ok(otherwise), |formula| formula.value(&self.fields))? as f32)
    }

    /// A bound that config.json may state.
    fn bound(&self, key: &Option<String>) -> Result<Option<f32>, ModelError> {
        let bound = key.as_ref().map_or(Ok(None), |key| self.fields.positive_if_any(key))?;
        Ok(bound.map(|bound| bound as f32))
    }
}
