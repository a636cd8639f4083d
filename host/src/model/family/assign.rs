//! Giving every stored tensor its role: nothing unknown, nothing missing, every shape as config.json implies it.

use super::presence::Presence;
use super::schema::CONFIG_NAME;
use super::{Captures, Condition, Family, TensorTemplate};
use crate::model::{Dtype, ModelError};
use llmq_plugin_api::wire::{Hyperparameters, Role, TensorDescription, UnitDescription, UnitKind};
use std::collections::BTreeMap;

/// A tensor in the weight files.
#[derive(Debug, Clone, Copy)]
pub struct FoundTensor<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Element type in safetensors' spelling.
    pub stored_dtype: safetensors::Dtype,
    /// Row-major shape.
    pub shape: &'a [u64],
    /// File name, for errors.
    pub file: &'a str,
}

/// The result: what the model consists of.
#[derive(Debug)]
pub struct Assignment {
    /// Units in model order.
    pub units: Vec<UnitDescription>,
    /// Tensors in the order of units and of the family's templates, each with its position among the found ones.
    pub tensors: Vec<(TensorDescription, usize)>,
    /// Positions in `tensors` of the token embedding and of a head that is stored although config.json ties it.
    pub stored_tied_head: Option<(usize, usize)>,
    /// Sentences about tensors that are left behind.
    pub notes: Vec<String>,
}

/// What shapes and conditions ask of config.json beyond the hyperparameters.
#[derive(Clone, Copy)]
pub struct Answers<'a> {
    /// Boolean keys.
    pub switch: &'a dyn Fn(&str) -> Result<bool, ModelError>,
    /// Whole numbers that shapes name as `config.KEY`.
    pub count: &'a dyn Fn(&str) -> Result<u32, ModelError>,
    /// Whole numbers that may be absent.
    pub count_if_any: &'a dyn Fn(&str) -> Result<Option<u32>, ModelError>,
}

impl Answers<'_> {
    fn holds(&self, condition: &Condition) -> Result<bool, ModelError> {
        match condition {
            Condition::Switch(key) => (self.switch)(key),
            Condition::Has(key) => Ok((self.count_if_any)(key)?.is_some()),
            Condition::Lacks(key) => Ok((self.count_if_any)(key)?.is_none()),
        }
    }
}

/// Assigns `found` to the templates of `family`.
pub fn assign(
    family: &Family,
    numbers: &Hyperparameters,
    answers: Answers<'_>,
    found: &[FoundTensor<'_>],
) -> Result<Assignment, ModelError> {
    let units = units(numbers.layers);
    let mut wanted = Vec::with_capacity(family.templates.len());
    for template in &family.templates {
        wanted.push(template.when.as_ref().map_or(Ok(true), |condition| answers.holds(condition))?);
    }
    let leading_dense = family.leading_dense.as_deref().map_or(Ok(0), answers.count)?;
    let further_layers = further_layers(family, numbers, answers)?;
    let mut presence = Presence::new(family, numbers, wanted, leading_dense);
    let mut placed = Vec::with_capacity(found.len());
    let mut left_behind: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (position, tensor) in found.iter().enumerate() {
        if let Some(reason) = further_layers.as_ref().and_then(|further| further(tensor.name)) {
            left_behind.entry(reason).or_insert((0, tensor.name)).0 += 1;
            continue;
        }
        let name = family.own_name(tensor.name);
        let hit = family.templates.iter().enumerate().find_map(|(i, t)| Some((i, t, t.pattern.matches(&name)?)));
        let Some((i, template, captures)) = hit else {
            match family.ignored.iter().find(|entry| entry.pattern.matches(&name).is_some()) {
                Some(entry) => left_behind.entry(&entry.reason).or_insert((0, tensor.name)).0 += 1,
                None => return Err(unknown(family, tensor)),
            }
            continue;
        };
        presence.arrives(i, captures).map_err(|problem| unexpected(tensor, problem))?;
        check(template, captures, numbers, answers, tensor)?;
        let unit = match (template.unit, captures.layer) {
            (UnitKind::Layer, Some(layer)) => layer + 1,
            (UnitKind::Embeddings, _) => 0,
            _ => numbers.layers + 1,
        };
        let description = TensorDescription {
            name: name.into_owned(),
            role: template.role.clone(),
            part: template.part.clone(),
            unit,
            layer: captures.layer,
            expert: captures.expert,
            head: captures.head,
            dtype: Dtype::of_stored(tensor.stored_dtype).map_or("", Dtype::as_str).to_owned(),
            shape: tensor.shape.to_vec(),
        };
        placed.push(((unit, i, captures.expert.or(captures.head)), description, position));
    }
    presence.refuse_missing()?;
    placed.sort_by_key(|(key, ..)| *key);
    let tensors: Vec<_> = placed.into_iter().map(|(_, description, position)| (description, position)).collect();
    let notes = left_behind.into_iter().map(|(reason, (count, name))| match count {
        1 => format!("{name} is left behind: {reason}"),
        _ => format!("{count} tensors such as {name} are left behind: {reason}"),
    });
    Ok(Assignment { units, stored_tied_head: stored_tied_head(numbers, &tensors), notes: notes.collect(), tensors })
}

fn units(layers: u32) -> Vec<UnitDescription> {
    let unit = |id: String, kind, layer| UnitDescription { id, kind, layer };
    let mut units = vec![unit("embeddings".into(), UnitKind::Embeddings, None)];
    units.extend((0..layers).map(|n| unit(format!("layer.{n}"), UnitKind::Layer, Some(n))));
    units.push(unit("head".into(), UnitKind::Head, None));
    units
}

/// Tells of a name why it is left behind, if it belongs to one of the family's prediction layers.
fn further_layers<'f>(
    family: &'f Family,
    numbers: &Hyperparameters,
    answers: Answers<'_>,
) -> Result<Option<impl Fn(&str) -> Option<&'f str> + use<'f>>, ModelError> {
    let Some(further) = &family.prediction_layers else { return Ok(None) };
    let first = numbers.layers;
    let end = first.saturating_add((answers.count_if_any)(&further.count)?.unwrap_or(0));
    Ok(Some(move |name: &str| {
        let layer = further.prefix.matches_beginning(name)?.layer?;
        (first..end).contains(&layer).then_some(further.reason.as_str())
    }))
}

fn unexpected(tensor: &FoundTensor<'_>, problem: String) -> ModelError {
    ModelError::UnexpectedTensor { tensor: tensor.name.to_owned(), problem }
}

/// One tensor against its template: numbers, dtype, shape.
fn check(
    template: &TensorTemplate,
    captures: Captures,
    numbers: &Hyperparameters,
    answers: Answers<'_>,
    tensor: &FoundTensor<'_>,
) -> Result<(), ModelError> {
    if captures.layer.is_some_and(|layer| layer >= numbers.layers) {
        return Err(unexpected(tensor, format!("there are only {} layers, counted from 0", numbers.layers)));
    }
    let experts = numbers.experts.as_ref().map_or(0, |e| e.count);
    if captures.expert.is_some_and(|expert| expert >= experts) {
        return Err(unexpected(tensor, format!("there are only {experts} experts, counted from 0")));
    }
    let heads = heads(&template.role, numbers);
    if captures.head.is_some_and(|head| head >= heads) {
        return Err(unexpected(tensor, format!("there are only {heads} heads of this kind, counted from 0")));
    }
    if Dtype::of_stored(tensor.stored_dtype).is_none() {
        let (tensor, file, dtype) = (tensor.name.into(), tensor.file.into(), tensor.stored_dtype.to_string());
        return Err(ModelError::Dtype { tensor, file, dtype });
    }
    for key in template.shape.iter().flat_map(|s| s.names()).filter_map(|name| name.strip_prefix(CONFIG_NAME)) {
        (answers.count)(key)?;
    }
    let lookup = |name: &str| match name.strip_prefix(CONFIG_NAME) {
        Some(key) => (answers.count)(key).ok().map(u64::from),
        None => shape_value(numbers, name),
    };
    // A name without a value here (experts of a dense model) matches no stored dimension.
    let expected: Vec<u64> = template.shape.iter().map(|s| s.value(&lookup).unwrap_or(0)).collect();
    if expected != tensor.shape {
        let formula: Vec<String> = template.shape.iter().map(ToString::to_string).collect();
        return Err(ModelError::Shape {
            tensor: tensor.name.to_owned(),
            found: tensor.shape.to_vec(),
            expected,
            formula: formula.join(" x "),
        });
    }
    Ok(())
}

/// How many heads have a tensor of their own: norms on keys go by key-value head.
pub(super) fn heads(role: &Role, numbers: &Hyperparameters) -> u32 {
    match role {
        Role::AttnK | Role::AttnV | Role::AttnKNorm => numbers.attention.kv_heads,
        _ => numbers.attention.heads,
    }
}

/// The hyperparameter behind a name of [`SHAPE_NAMES`](super::schema::SHAPE_NAMES).
fn shape_value(numbers: &Hyperparameters, name: &str) -> Option<u64> {
    let value = match name {
        "vocab" => numbers.vocab_size,
        "hidden" => numbers.hidden_size,
        "intermediate" => numbers.intermediate_size,
        "heads" => numbers.attention.heads,
        "kv_heads" => numbers.attention.kv_heads,
        "head_dim" => numbers.attention.head_dim,
        "context" => numbers.context_length,
        "experts" => numbers.experts.as_ref()?.count,
        "expert_intermediate" => numbers.experts.as_ref()?.intermediate_size,
        _ => return None,
    };
    Some(u64::from(value))
}

fn stored_tied_head(numbers: &Hyperparameters, tensors: &[(TensorDescription, usize)]) -> Option<(usize, usize)> {
    let weight = |role: Role| tensors.iter().position(|(t, _)| t.role == role && t.part == "weight");
    if !numbers.tied_embeddings {
        return None;
    }
    Some((weight(Role::TokenEmbedding)?, weight(Role::OutputHead)?))
}

/// The error for a name no template knows, with the known names most like it.
fn unknown(family: &Family, tensor: &FoundTensor<'_>) -> ModelError {
    let number = tensor.name.split('.').find_map(|word| word.parse::<u32>().ok());
    let known =
        family.templates.iter().map(|t| t.pattern.name(Captures { layer: number, expert: number, head: number }));
    ModelError::UnknownTensor {
        tensor: tensor.name.to_owned(),
        file: tensor.file.to_owned(),
        family: family.id.clone(),
        nearest: nearest(tensor.name, known, 3),
    }
}

/// The `count` candidates most like `name`, nearest first, equal ones in their own order.
pub(in crate::model) fn nearest(name: &str, candidates: impl Iterator<Item = String>, count: usize) -> Vec<String> {
    let mut scored: Vec<(usize, String)> = candidates.map(|c| (strsim::levenshtein(name, &c), c)).collect();
    scored.sort_by_key(|(distance, _)| *distance);
    scored.into_iter().take(count).map(|(_, candidate)| candidate).collect()
}
