//! The plan: every tensor's encoding and place, the header, what units need, and what there is to say.

use super::assemble::Draft;
use super::chosen::{by_level_alone, idle_options, notes, shape, unfit};
use super::collect::{Gathered, Origin, collect};
use super::converter_dtype::converter_dtype;
use super::header::metadata;
use super::importance::{Importance, SUM_SQUARES, Weighting};
use super::options::Options;
use super::prune::{layers_of, prune};
use super::quantize::scratch_bytes;
use super::stored;
use super::{Encoding, GgufSession, SlotWork};
use crate::arch::{self, Architecture};
use crate::levels::{COPY, offered};
use crate::mixture::{Assignment, Candidate, Recipe, assign};
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Context, Error, Kind, Model};
use llmq_plugin_api::wire::{ModelDescription, Plan, Request, Slot, StatisticsNeed, TensorDescription, UnitNeed};
use std::collections::BTreeMap;

impl GgufSession {
    /// Plans a job.
    ///
    /// Tensors of quantized files are sorted by block and name, as llama-quantize sorts them; those of unquantized files
    /// keep the converter's order: derived tensors, then the others by Hugging Face name.
    pub(crate) fn open(_cx: &Context, model: &Model, request: &Request) -> Result<GgufSession, Error> {
        let description = model.description();
        let options = Options::read(request)?;
        if let Some(format) = &description.stored_as {
            return stored::open(format, model, request, &options);
        }
        if request.level == COPY {
            return Err(nothing_to_keep(description));
        }
        let recipe = offered(&request.level).ok_or_else(|| unknown_level(&request.level))?;
        let arch = arch::by_family(&description.family).ok_or_else(|| unknown_family(description))?;
        refuse_other_activation(arch, description)?;
        let mut collection = collect(arch, description)?;
        let layers = description.hyperparameters.layers;
        let pruned = options.quantizer.prune.as_ref().map(|text| layers_of(text, layers)).transpose()?;
        let remaining = pruned.as_ref().map(|pruned| layers - pruned.len() as u32);
        let metadata = metadata(arch, recipe, model, &collection.tensors, &options, request, remaining)?;
        if let Some(pruned) = &pruned {
            let dropped = prune(&mut collection.tensors, pruned, description);
            collection.dropped.extend(dropped);
        }
        let mut tensors = collection.tensors;
        if !recipe.is_float() || options.quantizer.quantizer_s_order() {
            tensors.sort_by(|a, b| (block(&a.name), &a.name).cmp(&(block(&b.name), &b.name)));
        }

        let mut importance = Importance::new(request, &tensors, options.missing_importance);
        let precision = precision(recipe, description, &options);
        let candidates = candidates(&tensors, description, request, precision)?;
        let shape = shape(arch, description, &options, importance.any());
        let choices = options.quantizer.choices;
        let assigned = assign(recipe, choices, &shape, &candidates).map_err(unfit)?;
        let by_level = by_level_alone(recipe, choices, &shape, &candidates);

        let plan =
            Plan { dropped: collection.dropped, warnings: metadata.warnings, notes: metadata.notes, ..Plan::default() };
        let weightings = importance.weigh(Some(recipe), &candidates, &assigned);
        let warnings = warnings(arch, description, &assigned, &options, (recipe, importance.any()));
        let draft = Draft {
            notes: notes(&tensors, choices, &assigned, by_level.as_deref()),
            stem: request.stem.clone(),
            key_values: metadata.key_values,
            tensors,
            candidates,
            assigned,
            weightings,
            splitting: options.splitting()?,
            plan,
        };
        importance.check()?;
        let mut session =
            draft.assemble(|tensor, target, candidate| slot_work(tensor, target, candidate, description, recipe))?;
        session.plan.units = unit_needs(&session.plan.slots, &session.work);
        session.plan.warnings.extend(idle_options(choices, recipe, &session.plan.slots));
        session.plan.warnings.extend(warnings);
        Ok(session)
    }
}

/// Non-block tensors come first; then blocks by number.
pub(super) fn block(name: &str) -> i64 {
    let number = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse().ok());
    number.unwrap_or(-1)
}

/// What matrices that no level may touch are stored as, and what a two-step conversion passes all matrices through:
/// the source's own precision, or the intermediate one that the user asks for.
fn precision(recipe: Recipe, model: &ModelDescription, options: &Options) -> BlockType {
    if recipe.is_float() {
        return recipe.base();
    }
    match model.dtype.as_str() {
        "BF16" => BlockType::BF16,
        "F16" => BlockType::F16,
        _ => options.intermediate.unwrap_or(BlockType::F32),
    }
}

fn candidates(
    tensors: &[Gathered],
    model: &ModelDescription,
    request: &Request,
    precision: BlockType,
) -> Result<Vec<Candidate>, Error> {
    let mut fixed = fixed_encodings(request)?;
    let candidates = tensors
        .iter()
        .map(|tensor| {
            let mut choice = fixed.remove(&tensor.name);
            for part in sources(&tensor.origin) {
                choice = fixed.remove(&model.tensors[part as usize].name).or(choice);
            }
            let unquantized = converter_dtype(&tensor.name, &tensor.ne, precision);
            Candidate { name: tensor.name.clone(), ne: tensor.ne.clone(), unquantized, fixed: choice }
        })
        .collect();
    match fixed.into_keys().next() {
        None => Ok(candidates),
        Some(name) => {
            let message = format!("an encoding is fixed for the tensor `{name}`, which the output does not have");
            Err(Error::new(Kind::InvalidRequest, message).subject(name))
        }
    }
}

pub(super) fn fixed_encodings(request: &Request) -> Result<BTreeMap<String, BlockType>, Error> {
    let one = |(name, value): (&String, &serde_json::Value)| {
        let encoding = value.as_str().and_then(BlockType::from_name).filter(|encoding| encoding.can_quantize());
        let encoding = encoding.ok_or_else(|| {
            let message = format!("the tensor `{name}` cannot be encoded as {value}");
            let known: Vec<&str> = BlockType::ALL.iter().filter(|ty| ty.can_quantize()).map(|ty| ty.name()).collect();
            Error::new(Kind::InvalidRequest, message).subject(name).hint(format!("choose from {}", known.join(", ")))
        })?;
        Ok((name.clone(), encoding))
    };
    request.encodings.iter().map(one).collect()
}

/// Whether a dtype is one that conversions keep.
fn is_half(dtype: &str) -> bool {
    matches!(dtype, "F16" | "BF16")
}

pub(super) fn sources(origin: &Origin) -> Vec<u32> {
    match origin {
        Origin::Derived(_) => Vec::new(),
        Origin::Sources { parts, .. } => parts.iter().map(|part| *part as u32).collect(),
    }
}

fn slot_work(
    tensor: Gathered,
    (target, weighting): (BlockType, Weighting),
    candidate: &Candidate,
    model: &ModelDescription,
    recipe: Recipe,
) -> SlotWork {
    let (parts, view, shift) = match tensor.origin {
        Origin::Derived(values) => {
            return SlotWork::Derived(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        }
        Origin::Sources { parts, view, shift } => (parts, view, shift),
    };
    let experts = if parts.len() == 1 { tensor.ne.iter().skip(2).product::<u64>().max(1) as usize } else { 1 };
    let first: &TensorDescription = &model.tensors[parts[0]];
    let two_steps = !recipe.is_float() && !is_half(&first.dtype) && candidate.unquantized != BlockType::F32;
    SlotWork::Encode(Encoding {
        parts,
        rows_per_part: view.rows(),
        rows_per_matrix: view.rows() / experts,
        weighting,
        columns: view.columns(),
        view,
        shift,
        intermediate: two_steps.then_some(candidate.unquantized),
        target,
    })
}

pub(super) fn unit_needs(slots: &[Slot], work: &[SlotWork]) -> Vec<UnitNeed> {
    let mut needs: BTreeMap<u32, UnitNeed> = BTreeMap::new();
    for (slot, work) in slots.iter().zip(work) {
        let need = needs.entry(slot.unit).or_insert_with(|| UnitNeed {
            unit: slot.unit,
            scratch_bytes_per_thread: 0,
            scratch_bytes: 0,
            device_bytes: 0,
            statistics: Vec::new(),
            stages: Vec::new(),
        });
        let SlotWork::Encode(encoding) = work else { continue };
        need.scratch_bytes_per_thread = need.scratch_bytes_per_thread.max(scratch_bytes(encoding));
        if matches!(encoding.weighting, Weighting::Offered { .. }) {
            let one = |tensor: &u32| StatisticsNeed { tensor: *tensor, kinds: vec![SUM_SQUARES.into()] };
            need.statistics.extend(slot.sources.iter().map(one));
        }
    }
    needs.into_values().collect()
}

fn warnings(
    arch: &Architecture,
    model: &ModelDescription,
    assigned: &[Assignment],
    options: &Options,
    (recipe, importance): (Recipe, bool),
) -> Vec<String> {
    let mut out = Vec::new();
    let misfits = assigned.iter().filter(|assignment| assignment.misfit.is_some()).count();
    if misfits > 0 {
        out.push(format!(
            "{misfits} of {} tensors have rows that are not whole blocks and get a substitute encoding; the plan says which",
            assigned.len()
        ));
    }
    let numbers = &model.hyperparameters;
    let window = numbers.attention.sliding_window.filter(|window| *window < numbers.context_length);
    if let Some(window) = window.filter(|_| !arch.has_window()) {
        out.push(format!(
            "the model attends to the last {window} tokens only; llama.cpp lets it attend to all, so results differ beyond {window} tokens"
        ));
    }
    let scaling = numbers.rope.as_ref().and_then(|rope| rope.scaling.as_ref()).map(|scaling| scaling.kind.as_str());
    if let Some(kind) = scaling.filter(|kind| !["linear", "yarn", "longrope", "su", "llama3", "default"].contains(kind))
    {
        out.push(format!("llama.cpp has no `{kind}` context extension; the file holds the unextended model"));
    }
    if arch.name == "bert" && !numbers.activation.starts_with("gelu") {
        out.push(format!("llama.cpp runs BERT with GELU, and the model uses `{}`: results differ", numbers.activation));
    }
    if arch.name == "smollm3" && !rotates_all_but_every_fourth(model) {
        out.push(
            "llama.cpp rotates all layers of SmolLM3 but every fourth, and no_rope_layers of config.json says otherwise: results differ"
                .to_owned(),
        );
    }
    if recipe.is_float() && importance {
        out.push("--imatrix has no effect: nothing is quantized at this level".to_owned());
    }
    if options.intermediate.is_some() && (recipe.is_float() || is_half(&model.dtype)) {
        out.push(
            "--intermediate has no effect: it is for quantized levels of models whose weights are neither F16 nor BF16"
                .to_owned(),
        );
    }
    out
}

/// Whether SmolLM3's layers without rotation are those that llama.cpp takes for granted.
fn rotates_all_but_every_fourth(model: &ModelDescription) -> bool {
    match model.config.get("no_rope_layers").and_then(serde_json::Value::as_array) {
        Some(layers) => layers.iter().zip(1..).all(|(rotates, layer)| (rotates == 1) == (layer % 4 != 0)),
        None => model.config.get("no_rope_layer_interval").is_none_or(|interval| interval == 4),
    }
}

pub(super) fn unknown_level(level: &str) -> Error {
    Error::new(Kind::InvalidRequest, format!("the level `{level}` is not one of GGUF's")).subject(level)
}

/// llama.cpp's BitNet has one activation. With another one every layer, and so all output, would be wrong.
fn refuse_other_activation(arch: &Architecture, model: &ModelDescription) -> Result<(), Error> {
    let activation = &model.hyperparameters.activation;
    if arch.name != "bitnet" || activation == arch.activation {
        return Ok(());
    }
    let message = format!(
        "llama.cpp computes `{}` in every BitNet model, and this one needs `{activation}`: it would answer with nonsense",
        arch.activation
    );
    Err(Error::new(Kind::UnsupportedModel, message)
        .subject(&model.architecture)
        .hint("use a runtime of the model's own, or a BitNet model of the Llama architecture such as Falcon3-1.58bit"))
}

fn unknown_family(model: &ModelDescription) -> Error {
    let message = format!(
        "{} (family `{}`) is not among the families that can be written as GGUF: {}",
        model.architecture,
        model.family,
        arch::families().join(", ")
    );
    Error::new(Kind::UnsupportedModel, message).subject(&model.architecture)
}

fn nothing_to_keep(model: &ModelDescription) -> Error {
    let message = format!("{COPY} keeps the encodings of a GGUF file; `{}` is not one", model.name);
    Error::new(Kind::InvalidRequest, message).subject(COPY).hint("choose a level; F16 and BF16 do not quantize")
}
