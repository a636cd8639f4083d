//! Sources that are GGUF files themselves: what llama-quantize does with a file, whatever family it holds.
//!
//! Metadata pass through with their order and every key that nobody here knows; tensors keep their names. Two keys are
//! set anew and so move to the end, `split.*` goes. Tensors that no level may touch, and those that have their encoding
//! already, are copied byte for byte.

use super::assemble::Draft;
use super::chosen::{by_level_alone, idle_options, notes, overridden, unfit};
use super::collect::{Gathered, Origin};
use super::header::importance_keys;
use super::importance::{Importance, Weighting};
use super::options::Options;
use super::override_kv::{apply, put_last};
use super::plan::{block, fixed_encodings, unit_needs, unknown_level};
use super::prune::{layers_of, prune};
use super::shards::{SPLIT_KEYS, Splitting};
use super::{Encoding, GgufSession, SlotWork};
use crate::arch::View;
use crate::container::Header;
use crate::levels::{COPY, offered};
use crate::metadata::quantization_version;
use crate::mixture::{Assignment, Candidate, Choices, ModelShape, Recipe, assign};
use crate::reader::{REST, parse_rest};
use crate::value::{KeyValue, Value};
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::{ModelDescription, Plan, Request, TensorDescription};
use std::collections::HashMap;

const FILE_TYPE: &str = "general.file_type";

/// Set by llama.cpp's loader in the number of a file type that it guessed from the tensors.
const GUESSED: u32 = 1024;

/// Plans a job from GGUF to GGUF.
pub(super) fn open(format: &str, model: &Model, request: &Request, options: &Options) -> Result<GgufSession, Error> {
    let description = model.description();
    if format != "gguf" {
        let message = format!("the source comes as `{format}`, which the GGUF backend does not read");
        return Err(Error::new(Kind::InvalidRequest, message));
    }
    let headers = parse_rest(&model.file(REST)?).map_err(|e| Error::new(Kind::CorruptInput, e.to_string()))?;
    let Some(main) = headers.first() else {
        return Err(Error::new(Kind::CorruptInput, "the source has no header"));
    };
    let recipe = match request.level.as_str() {
        COPY => None,
        level => Some(offered(level).ok_or_else(|| unknown_level(level))?),
    };
    let choices = options.quantizer.choices;
    if recipe.is_none() && (choices != Choices::default() || !request.encodings.is_empty()) {
        let message = format!("{COPY} keeps every tensor as it is; types cannot be chosen with it");
        return Err(Error::new(Kind::InvalidRequest, message).hint("choose a level, or leave the types out"));
    }
    let mut tensors = gather(description)?;
    // By the file's own numbers: layers are pruned, then overridden numbers decide.
    let layers = shape(main, false).layers;
    let pruned = options.quantizer.prune.as_ref().map(|text| layers_of(text, layers)).transpose()?;
    let remaining = pruned.as_ref().map(|pruned| layers - pruned.len() as u32);
    let mut dropped = Vec::new();
    if let Some(pruned) = &pruned {
        no_lists_of_layers(main, layers)?;
        dropped = prune(&mut tensors, pruned, description);
    }
    let splitting = arrange(&mut tensors, &headers, options, description)?;
    let mut importance = Importance::new(request, &tensors, options.missing_importance);
    let shape = shape(main, importance.any());
    let candidates = candidates(&tensors, description, request)?;
    let block_count = format!("{}.block_count", shape.arch);
    let shape = overridden(shape, options);
    let kept = |c: &Candidate| Assignment { encoding: c.unquantized, misfit: None, choosable: false };
    let (assigned, by_level) = match recipe {
        Some(recipe) => {
            let assigned = assign(recipe, choices, &shape, &candidates).map_err(unfit)?;
            (assigned, by_level_alone(recipe, choices, &shape, &candidates))
        }
        None => (candidates.iter().map(kept).collect(), None),
    };
    let misfits = assigned.iter().filter(|assignment| assignment.misfit.is_some()).count();
    let mut plan = Plan { warnings: without_effect(options), dropped, ..Plan::default() };
    if misfits > 0 {
        plan.warnings.push(format!(
            "{misfits} of {} tensors have rows that are not whole blocks and get a substitute encoding; the plan says which",
            assigned.len()
        ));
    }
    let mut key_values = key_values(main, recipe, &candidates);
    if let Some(name) = &options.name {
        crate::value::set(&mut key_values, "general.name", name.as_str());
    }
    let told = apply(&mut key_values, &options.quantizer.overrides)?;
    plan.warnings.extend(told.warnings);
    plan.notes.extend(told.notes);
    request.statistics_origin.iter().for_each(|origin| importance_keys(&mut key_values, origin));
    if let Some(layers) = remaining {
        put_last(&mut key_values, &block_count, layers.into());
    }
    let weightings = importance.weigh(recipe, &candidates, &assigned);
    importance.check()?;
    let notes = notes(&tensors, choices, &assigned, by_level.as_deref());
    let stem = request.stem.clone();
    let draft = Draft { stem, key_values, tensors, candidates, assigned, weightings, notes, splitting, plan };
    let mut session = draft.assemble(work)?;
    if let Some(recipe) = recipe {
        session.plan.warnings.extend(idle_options(choices, recipe, &session.plan.slots));
    }
    session.plan.units = unit_needs(&session.plan.slots, &session.work);
    Ok(session)
}

/// The source's tensors; trailing dimensions of 1 are not kept, as the reference does not.
pub(crate) fn gather(description: &ModelDescription) -> Result<Vec<Gathered>, Error> {
    let one = |(index, tensor): (usize, &TensorDescription)| {
        let mut ne: Vec<u64> = tensor.shape.iter().rev().copied().collect();
        while ne.len() > 1 && ne.last() == Some(&1) {
            ne.pop();
        }
        let view = View::plain(tensor.rows() as usize, tensor.columns() as usize);
        let origin = Origin::Sources { parts: vec![index], view, shift: 0.0 };
        encoding(tensor)?;
        Ok(Gathered { name: tensor.name.clone(), ne, unit: tensor.unit, origin })
    };
    description.tensors.iter().enumerate().map(one).collect()
}

fn encoding(tensor: &TensorDescription) -> Result<BlockType, Error> {
    BlockType::from_name(&tensor.dtype).ok_or_else(|| {
        let message = format!("the tensor `{}` is stored as {}, which is unknown here", tensor.name, tensor.dtype);
        Error::new(Kind::CorruptInput, message).subject(&tensor.name)
    })
}

/// Brings tensors into the order of the output and says how they are spread: by block and name, or as the source's
/// shards have them.
fn arrange(
    tensors: &mut [Gathered],
    headers: &[Header],
    options: &Options,
    description: &ModelDescription,
) -> Result<Splitting, Error> {
    if !options.keep_split || headers.len() == 1 {
        let splitting = options.splitting()?;
        tensors.sort_by(|a, b| (block(&a.name), &a.name).cmp(&(block(&b.name), &b.name)));
        return Ok(splitting);
    }
    let mut places = HashMap::new();
    for (shard, header) in headers.iter().enumerate() {
        for tensor in &header.tensors {
            places.insert(tensor.info.name.as_str(), (shard, tensor.offset));
        }
    }
    // By the source's name: pruning renumbers layers.
    let place = |tensor: &Gathered| match &tensor.origin {
        Origin::Sources { parts, .. } => {
            places.get(description.tensors[parts[0]].name.as_str()).copied().unwrap_or_default()
        }
        Origin::Derived(_) => (0, 0),
    };
    tensors.sort_by_key(&place);
    Ok(Splitting::Kept(tensors.iter().map(|tensor| place(tensor).0).collect()))
}

/// Refuses to prune a file whose metadata have one value per layer: the reference leaves such lists as they are, and then
/// they speak of other layers.
fn no_lists_of_layers(main: &Header, layers: u32) -> Result<(), Error> {
    let arch = main.get("general.architecture").and_then(Value::as_str).unwrap_or_default();
    let prefix = format!("{arch}.");
    let per_layer = |pair: &&KeyValue| match &pair.value {
        Value::Array(list) => pair.key.starts_with(&prefix) && list.len() == layers as usize,
        _ => false,
    };
    match main.key_values.iter().find(per_layer) {
        None => Ok(()),
        Some(pair) => {
            let message = format!("`{}` has one value per layer; layers of such a file cannot be pruned", pair.key);
            Err(Error::new(Kind::InvalidRequest, message).subject("prune_layers"))
        }
    }
}

/// What the mixture rules look at. The reference takes the first layer where a key has one number per layer.
fn shape(main: &Header, has_importance: bool) -> ModelShape {
    let arch = main.get("general.architecture").and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| main.first_unsigned(&format!("{arch}.{key}")).and_then(|n| u32::try_from(n).ok());
    let heads = number("attention.head_count").unwrap_or(0);
    ModelShape {
        layers: number("block_count").unwrap_or(0),
        heads,
        kv_heads: number("attention.head_count_kv").unwrap_or(heads),
        experts: number("expert_count").unwrap_or(0),
        has_importance,
        arch,
    }
}

fn candidates(
    tensors: &[Gathered],
    description: &ModelDescription,
    request: &Request,
) -> Result<Vec<Candidate>, Error> {
    let mut fixed = fixed_encodings(request)?;
    let one = |tensor: &Gathered| {
        let unquantized = match &tensor.origin {
            Origin::Sources { parts, .. } => encoding(&description.tensors[parts[0]])?,
            Origin::Derived(_) => BlockType::F32,
        };
        let fixed = fixed.remove(&tensor.name);
        Ok(Candidate { name: tensor.name.clone(), ne: tensor.ne.clone(), unquantized, fixed })
    };
    let candidates = tensors.iter().map(one).collect::<Result<Vec<_>, Error>>()?;
    match fixed.into_keys().next() {
        None => Ok(candidates),
        Some(name) => {
            let message = format!("an encoding is fixed for the tensor `{name}`, which the source does not have");
            Err(Error::new(Kind::InvalidRequest, message).subject(name))
        }
    }
}

/// The source's metadata; version and file type are set anew behind all others.
fn key_values(main: &Header, recipe: Option<Recipe>, candidates: &[Candidate]) -> Vec<KeyValue> {
    let version = quantization_version();
    let set_anew = |key: &str| key == version.key || key == FILE_TYPE || SPLIT_KEYS.contains(&key);
    let mut out: Vec<KeyValue> = main.key_values.iter().filter(|pair| !set_anew(&pair.key)).cloned().collect();
    let file_type = match (recipe, main.first_unsigned(FILE_TYPE)) {
        (Some(recipe), _) => recipe.file_type(),
        (None, Some(stated)) => u32::try_from(stated).unwrap_or(0),
        (None, None) => guessed(candidates),
    };
    out.push(version);
    out.push(KeyValue::new(FILE_TYPE, file_type));
    out
}

/// The file type that llama.cpp's loader gives a file that states none: by the encoding of most tensors.
fn guessed(candidates: &[Candidate]) -> u32 {
    let mut counts: HashMap<BlockType, (usize, BlockType)> = HashMap::new();
    for candidate in candidates {
        counts.entry(candidate.unquantized).or_insert((0, candidate.unquantized)).0 += 1;
    }
    // Equal counts go to the number that comes first, so that the result never depends on hash order.
    let most = counts.into_values().max_by_key(|(count, encoding)| (*count, std::cmp::Reverse(encoding.id())));
    let named = most.map_or(Recipe::F32, |(_, encoding)| match encoding {
        BlockType::Q3_K => Recipe::Q3_K_M,
        BlockType::Q4_K => Recipe::Q4_K_M,
        BlockType::Q5_K => Recipe::Q5_K_M,
        BlockType::MXFP4 => Recipe::MXFP4_MOE,
        other => Recipe::from_name(other.name()).unwrap_or(Recipe::F32),
    });
    named.file_type() | GUESSED
}

fn work(tensor: Gathered, (target, weighting): (BlockType, Weighting), candidate: &Candidate) -> SlotWork {
    let experts = tensor.ne.iter().skip(2).product::<u64>().max(1) as usize;
    match tensor.origin {
        Origin::Derived(values) => SlotWork::Derived(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Origin::Sources { parts, .. } if target == candidate.unquantized => SlotWork::Copy(parts[0]),
        Origin::Sources { parts, view, shift } => SlotWork::Encode(Encoding {
            parts,
            rows_per_part: view.rows(),
            rows_per_matrix: view.rows() / experts,
            weighting,
            columns: view.columns(),
            view,
            shift,
            intermediate: None,
            target,
        }),
    }
}

fn without_effect(options: &Options) -> Vec<String> {
    let given = [("--intermediate", options.intermediate.is_some()), ("--pre", options.pre.is_some())];
    let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given.is_empty() {
        true => Vec::new(),
        false => vec![format!("{} changes nothing: the source is a GGUF file already", given.join(" and "))],
    }
}
