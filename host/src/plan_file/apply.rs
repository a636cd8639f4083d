//! A plan file against a model: is it this model's, does every tensor have its line, can every tensor have its type.

use super::document::{PlanFile, PlannedType};
use crate::failure::{Class, Failure};
use crate::nearest::nearest;
use crate::selector::encoding;
use llmq_plugin_api::wire::{FormatDescriptor, ModelDescription, Plan, Slot};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

fn refuse(message: String) -> Failure {
    Failure::new(Class::InvalidArguments, message)
}

/// Checks the format, and that known types fit their shapes, before any model is looked at.
pub fn check_types(file: &PlanFile, format: &FormatDescriptor) -> Result<(), Failure> {
    if file.format != format.id {
        let message = format!("{} is a plan for format `{}`, not `{}`", file.place, file.format, format.id);
        return Err(refuse(message).suggest("Name the plan's format on the command line"));
    }
    // A word that is no type may be one that a format only keeps; the model's own plan tells.
    for (name, planned) in &file.tensors {
        let Some(known) = format.encoding(&planned.encoding) else { continue };
        if known.bytes(&planned.shape).is_none() {
            let known = &known.id;
            let columns = planned.shape.last().copied().unwrap_or(1);
            let message = format!(
                "{}: `{name}` cannot be {known}: rows of {columns} are not whole blocks",
                file.line(planned.line)
            );
            return Err(refuse(message).suggest("Choose a type with smaller blocks"));
        }
    }
    Ok(())
}

/// The encodings that a plan file fixes, for a plan made without them. `content` is the model's fingerprint.
pub fn apply(
    file: &PlanFile,
    plan: &Plan,
    model: &ModelDescription,
    content: &str,
    format: &FormatDescriptor,
) -> Result<Map<String, Value>, Failure> {
    if file.model.content.as_deref().is_some_and(|made_from| made_from != content) {
        return Err(another_model(file, plan, model));
    }
    let names: BTreeSet<&str> = plan.slots.iter().map(|slot| slot.name.as_str()).collect();
    if let Some((name, planned)) = file.tensors.iter().find(|(name, _)| !names.contains(name.as_str())) {
        let near = nearest(name, names.iter().copied());
        let near = near.first().map_or_else(String::new, |near| format!("Did you mean `{near}`? "));
        let message = format!("{}: the output has no tensor `{name}`", file.line(planned.line));
        return Err(refuse(message).suggest(format!("{near}The output has {} tensors", names.len())));
    }
    let mut encodings = Map::new();
    for slot in &plan.slots {
        let planned = line_of(file, slot)?;
        if planned.shape != slot.shape {
            let message = format!(
                "{}: `{}` has the shape {:?}, the plan file says {:?}",
                file.line(planned.line),
                slot.name,
                slot.shape,
                planned.shape
            );
            return Err(refuse(message).suggest("The plan was made for another model, or its shape was edited"));
        }
        if slot.choosable {
            let name = encoding(&planned.encoding, &format!("{}: `{}`", file.line(planned.line), slot.name), format)?;
            encodings.insert(slot.name.clone(), name.into());
        }
    }
    Ok(encodings)
}

/// Insists that a plan has the types of the file.
pub fn verify(file: &PlanFile, plan: &Plan) -> Result<(), Failure> {
    for slot in &plan.slots {
        let planned = line_of(file, slot)?;
        if !planned.encoding.eq_ignore_ascii_case(&slot.encoding) {
            let why = match (&slot.note, slot.choosable) {
                (note, _) if !note.is_empty() => format!(" ({note})"),
                (_, false) => " (its type is not free)".to_owned(),
                _ => String::new(),
            };
            let message = format!(
                "{}: `{}` cannot be {}; it would be {}{why}",
                file.line(planned.line),
                slot.name,
                planned.encoding,
                slot.encoding
            );
            return Err(refuse(message).suggest(format!("Write {} there, or change the option", slot.encoding)));
        }
    }
    Ok(())
}

fn line_of<'f>(file: &'f PlanFile, slot: &Slot) -> Result<&'f PlannedType, Failure> {
    file.tensors.get(&slot.name).ok_or_else(|| {
        let message = format!("{}: the list of tensors has no line for `{}`", file.line(file.tensors_line), slot.name);
        refuse(message).suggest(format!("Add one, for example with the type {}", slot.encoding))
    })
}

fn another_model(file: &PlanFile, plan: &Plan, model: &ModelDescription) -> Failure {
    let mut differences = Vec::new();
    if file.model.architecture != model.architecture {
        differences.push(format!("it is {}, not {}", model.architecture, file.model.architecture));
    }
    let shape_of = |slot: &Slot| file.tensors.get(&slot.name).map(|planned| planned.shape == slot.shape);
    let missing = plan.slots.iter().filter(|slot| shape_of(slot).is_none()).count();
    let reshaped = plan.slots.iter().filter(|slot| shape_of(slot) == Some(false)).count();
    let names: BTreeSet<&str> = plan.slots.iter().map(|slot| slot.name.as_str()).collect();
    let surplus = file.tensors.keys().filter(|name| !names.contains(name.as_str())).count();
    for (count, what) in [(missing, "more"), (surplus, "fewer"), (reshaped, "reshaped")] {
        if count > 0 {
            differences.push(format!("it has {count} {what} tensors"));
        }
    }
    let same_shapes = missing + surplus + reshaped == 0;
    if same_shapes && differences.is_empty() {
        differences.push("its tensors have the same shapes and other weights, or its other files differ".to_owned());
    }
    let message = format!(
        "{} was made from the model `{}`, and `{}` is another: {}",
        file.place,
        file.model.name,
        model.name,
        differences.join("; ")
    );
    refuse(message).suggest(match same_shapes {
        true => "To use it for this model all the same, remove its line `content = ...`",
        false => "Make a plan for this model with --save-plan",
    })
}
