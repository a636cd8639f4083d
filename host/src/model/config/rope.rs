//! Rotary embedding in all its spellings: `rope_theta` with `rope_scaling` (transformers 4, with the older `type`
//! inside), or everything in `rope_parameters` (transformers 5).

use super::Fields;
use super::fields::{as_count, as_positive, refuse};
use crate::model::ModelError;
use crate::model::family::SlidingRule;
use llmq_plugin_api::wire::{Rope, RopeScaling};
use serde_json::{Map, Value};

/// Reads the rotary embedding of heads `head_dim` wide.
pub(super) fn read_rope(
    fields: &Fields<'_>,
    layout: &str,
    head_dim: u32,
    context_length: u32,
) -> Result<Rope, ModelError> {
    let scaling = parameters(fields, FULL)?;
    let theta = theta(fields, &scaling)?;
    let dimensions = dimensions(fields, &scaling, head_dim)?;
    Ok(Rope { theta, dimensions, layout: layout.to_owned(), scaling: scaling.read(dimensions, context_length)? })
}

/// Layers that rotary parameters may be stated for.
const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

/// Reads the rotary embedding of layers with a sliding window, where it differs from that of the others: parameters by
/// layer type, a base of its own, or a context extension that does not reach them.
pub(super) fn read_sliding_rope(
    fields: &Fields<'_>,
    layout: &str,
    head_dim: u32,
    context_length: u32,
) -> Result<Option<Rope>, ModelError> {
    let layout = layout.to_owned();
    let full = parameters(fields, FULL)?;
    if full.by_layer_type {
        let sliding = parameters(fields, SLIDING)?;
        let theta = theta(fields, &sliding)?;
        let dimensions = dimensions(fields, &sliding, head_dim)?;
        return Ok(Some(Rope { theta, dimensions, layout, scaling: sliding.read(dimensions, context_length)? }));
    }
    let dimensions = dimensions(fields, &full, head_dim)?;
    if let Some(theta) = fields.positive_if_any("rope_local_base_freq")? {
        return Ok(Some(Rope { theta, dimensions, layout, scaling: None }));
    }
    let extended = fields.family().sliding_rope_unscaled && full.read(dimensions, context_length)?.is_some();
    let theta = theta(fields, &full)?;
    Ok(extended.then_some(Rope { theta, dimensions, layout, scaling: None }))
}

/// The object that is in force for a type of layer. Both spellings at once are refused unless they are equal.
fn parameters(fields: &Fields<'_>, layer_type: &str) -> Result<Scaling, ModelError> {
    let mut found: Option<Scaling> = None;
    for place in ["rope_scaling", "rope_parameters"] {
        let object = match fields.stated(place) {
            None => continue,
            Some(Value::Object(object)) if object.is_empty() => continue,
            Some(Value::Object(object)) => object,
            Some(other) => return Err(refuse(place, Some(other), "an object or null")),
        };
        let by_layer_type = object.values().any(Value::is_object);
        let slides = fields.family().sliding != SlidingRule::Never;
        let object = match object.get(layer_type) {
            Some(Value::Object(own)) if slides && object.keys().all(|key| key == FULL || key == SLIDING) => own.clone(),
            _ => object.clone(),
        };
        if let Some((inner, value)) = object.iter().find(|(_, value)| value.is_object()) {
            let expected = if slides {
                "a number or a word, or the parameters of full_attention and sliding_attention and nothing else"
            } else {
                "a number or a word: this class has no parameters by layer type"
            };
            return Err(refuse(&format!("{place}.{inner}"), Some(value), expected));
        }
        if let Some(other) = found.as_ref().filter(|other| other.object != object) {
            let expected = format!("not there, or equal to {}", other.place);
            return Err(refuse(place, fields.stated(place), &expected));
        }
        found.get_or_insert(Scaling { place, object, by_layer_type });
    }
    Ok(found.unwrap_or(Scaling { place: "rope_parameters", object: Map::new(), by_layer_type: false }))
}

/// The base. Two places that disagree are refused: transformers 4 and 5 would choose different ones.
fn theta(fields: &Fields<'_>, scaling: &Scaling) -> Result<f64, ModelError> {
    let outer = match fields.stated("rope_theta") {
        Some(_) => Some(fields.positive("rope_theta")?),
        None => None,
    };
    let inner = scaling.number("rope_theta")?;
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => {
            let expected = format!("{inner}, as {}.rope_theta says", scaling.place);
            Err(refuse("rope_theta", fields.stated("rope_theta"), &expected))
        }
        (Some(theta), _) | (None, Some(theta)) => Ok(theta),
        (None, None) => fields.positive("rope_theta"),
    }
}

/// Rotated dimensions, an even number: they turn in pairs.
fn dimensions(fields: &Fields<'_>, scaling: &Scaling, head_dim: u32) -> Result<u32, ModelError> {
    let key = "partial_rotary_factor";
    let factor = match scaling.number(key)? {
        Some(factor) => factor,
        None => fields.positive_if_any(key)?.unwrap_or(1.0),
    };
    if factor > 1.0 {
        return Err(refuse(key, Some(&factor.into()), "at most 1"));
    }
    let dimensions = (f64::from(head_dim) * factor) as u32;
    if dimensions == 0 || !dimensions.is_multiple_of(2) {
        let expected = format!("a width whose rotated part ({dimensions} dimensions) is even and not 0");
        return Err(refuse("head_dim", Some(&head_dim.into()), &expected));
    }
    Ok(dimensions)
}

struct Scaling {
    /// Key of the object in config.json, for errors.
    place: &'static str,
    object: Map<String, Value>,
    /// Whether config.json states parameters for each type of layer.
    by_layer_type: bool,
}

impl Scaling {
    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    fn stated(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.stated(key).map(|value| as_positive(&self.path(key), value)).transpose()
    }

    fn needed(&self, key: &str, kind: &str) -> Result<f64, ModelError> {
        let missing = || refuse(&self.path(key), None, &format!("a number above 0, as {kind} needs it"));
        self.number(key)?.ok_or_else(missing)
    }

    /// The extension factor: 1 leaves all as it is, less would shrink the context.
    fn factor(&self, kind: &str) -> Result<f64, ModelError> {
        let factor = self.needed("factor", kind)?;
        if factor < 1.0 {
            return Err(refuse(&self.path("factor"), self.stated("factor"), "a number of at least 1"));
        }
        Ok(factor)
    }

    fn original_context(&self) -> Result<Option<u32>, ModelError> {
        let key = "original_max_position_embeddings";
        self.stated(key).map(|value| as_count(&self.path(key), value, 1..=1 << 30)).transpose()
    }

    fn list(&self, key: &str, kind: &str, length: u32) -> Result<Vec<f64>, ModelError> {
        let expected = format!("a list of {length} numbers above 0, as {kind} needs it");
        let refuse = || refuse(&self.path(key), self.stated(key), &expected);
        let list = self.stated(key).and_then(Value::as_array).filter(|l| l.len() == length as usize);
        list.ok_or_else(refuse)?
            .iter()
            .map(|value| value.as_f64().filter(|x| x.is_finite() && *x > 0.0).ok_or_else(refuse))
            .collect()
    }

    fn read(&self, dimensions: u32, context_length: u32) -> Result<Option<RopeScaling>, ModelError> {
        let key = if self.stated("rope_type").is_some() { "rope_type" } else { "type" };
        let kind = match self.stated(key) {
            None => "default",
            Some(Value::String(word)) => word.as_str(),
            Some(other) => return Err(refuse(&self.path(key), Some(other), "a word")),
        };
        let mut scaling = RopeScaling { kind: kind.to_owned(), ..RopeScaling::default() };
        match kind {
            "default" => return Ok(None),
            "linear" => scaling.factor = Some(self.factor(kind)?),
            "dynamic" => {
                scaling.factor = Some(self.factor(kind)?);
                scaling.original_context_length = self.original_context()?;
            }
            "yarn" => {
                scaling.factor = Some(self.factor(kind)?);
                scaling.original_context_length = Some(self.original_context()?.unwrap_or(context_length));
                scaling.attention_factor = self.number("attention_factor")?;
                scaling.beta_fast = self.number("beta_fast")?;
                scaling.beta_slow = self.number("beta_slow")?;
            }
            "longrope" | "su" => {
                scaling.kind = "longrope".to_owned();
                scaling.factor = self.number("factor")?;
                scaling.original_context_length = Some(self.original_context()?.unwrap_or(context_length));
                scaling.attention_factor = self.number("attention_factor")?;
                scaling.short_factor = self.list("short_factor", kind, dimensions / 2)?;
                scaling.long_factor = self.list("long_factor", kind, dimensions / 2)?;
            }
            "llama3" => {
                scaling.factor = Some(self.factor(kind)?);
                let (low, high) = (self.needed("low_freq_factor", kind)?, self.needed("high_freq_factor", kind)?);
                if low >= high {
                    let expected = format!("a number above low_freq_factor = {low}");
                    return Err(refuse(&self.path("high_freq_factor"), self.stated("high_freq_factor"), &expected));
                }
                (scaling.low_freq_factor, scaling.high_freq_factor) = (Some(low), Some(high));
                let original = self.original_context()?;
                let key = "original_max_position_embeddings";
                let expected = "a whole number above 0, as llama3 needs it";
                scaling.original_context_length =
                    Some(original.ok_or_else(|| refuse(&self.path(key), None, expected))?);
            }
            _ => {
                let expected = "default, linear, dynamic, yarn, longrope or llama3";
                return Err(refuse(&self.path(key), self.stated(key), expected));
            }
        }
        Ok(Some(scaling))
    }
}
