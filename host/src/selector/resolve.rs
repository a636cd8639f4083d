//! Rules against a plan: every tensor's encoding, and everything that a rule cannot mean.

use super::grammar::{Rule, Subject, Term};
use crate::failure::{Class, Failure};
use crate::nearest::nearest;
use llmq_plugin_api::wire::{FormatDescriptor, ModelDescription, Plan, Role, Slot};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What rules come to for one plan.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Encodings by output name.
    pub encodings: Map<String, Value>,
    /// Sentences about rules that change nothing.
    pub warnings: Vec<String>,
}

/// Checks the types of rules against the format, before any model is looked at.
pub fn check_encodings(rules: &[Rule], format: &FormatDescriptor) -> Result<(), Failure> {
    for rule in rules {
        encoding(&rule.encoding, &format!("{} ({})", rule.place, rule.text), format)?;
    }
    Ok(())
}

/// The name that a format gives an encoding, or why there is none. `place` says where the word stands.
pub fn encoding<'f>(word: &str, place: &str, format: &'f FormatDescriptor) -> Result<&'f str, Failure> {
    if let Some(known) = format.encoding(word) {
        return Ok(&known.id);
    }
    let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
    if format.encodings.is_empty() {
        return Err(refuse(format!("{place}: format `{}` has no types to choose for single tensors", format.id))
            .suggest("Choose a level only."));
    }
    let names: Vec<&str> = format.encodings.iter().map(|e| e.id.as_str()).collect();
    let near = nearest(word, names.iter().copied()).first().map(|near| format!("Did you mean {near}? "));
    Err(refuse(format!("{place}: `{word}` is not a type that tensors of format `{}` can have", format.id))
        .suggest(format!("{}The types are: {}.", near.unwrap_or_default(), names.join(", "))))
}

/// Applies rules to a plan made without them.
pub fn resolve(
    rules: &[Rule],
    plan: &Plan,
    model: &ModelDescription,
    format: &FormatDescriptor,
) -> Result<Resolution, Failure> {
    let layers = output_layers(plan, model);
    rules.iter().try_for_each(|rule| within(rule, layers.len() as u32))?;
    let mut resolution = Resolution::default();
    let mut tallies = vec![Tally::default(); rules.len()];
    for slot in &plan.slots {
        let subject = subject(slot, model, &layers);
        let mut decided = false;
        for (rule, tally) in rules.iter().zip(&mut tallies) {
            if !rule.selects(&subject) {
                continue;
            }
            tally.selected += 1;
            if !slot.choosable {
                tally.kept.get_or_insert_with(|| kept(slot));
                continue;
            }
            tally.choosable += 1;
            if !decided {
                decided = true;
                tally.decided += 1;
                let name = encoding(&rule.encoding, &rule.place, format)?;
                resolution.encodings.insert(slot.name.clone(), name.into());
            }
        }
    }
    for (rule, tally) in rules.iter().zip(&tallies) {
        if tally.selected == 0 {
            return Err(selects_nothing(rule, plan, model));
        }
        if tally.choosable == 0 {
            let kept = tally.kept.clone().unwrap_or_default();
            let message =
                format!("{}: `{}` selects only tensors whose type is not free: {kept}", rule.place, rule.text);
            return Err(Failure::new(Class::InvalidArguments, message)
                .suggest("The --dry-run without it shows the type of every tensor, and why it has it."));
        }
        if tally.decided == 0 {
            let warning = "earlier rules decide about all tensors that it selects";
            resolution.warnings.push(format!("{}: `{}` has no effect: {warning}", rule.place, rule.text));
        }
    }
    Ok(resolution)
}

#[derive(Debug, Clone, Default)]
struct Tally {
    selected: usize,
    choosable: usize,
    decided: usize,
    /// The first tensor that was passed over.
    kept: Option<String>,
}

fn kept(slot: &Slot) -> String {
    let note = if slot.note.is_empty() { String::new() } else { format!(" ({})", slot.note) };
    format!("`{}` is {}{note}", slot.name, slot.encoding)
}

/// The source's layers that are in the output, in order: their places are the output's layer numbers.
fn output_layers(plan: &Plan, model: &ModelDescription) -> Vec<u32> {
    let sources = plan.slots.iter().flat_map(|slot| &slot.sources);
    let layers: BTreeSet<u32> = sources.filter_map(|source| model.tensors[*source as usize].layer).collect();
    layers.into_iter().collect()
}

fn subject<'a>(slot: &'a Slot, model: &'a ModelDescription, layers: &[u32]) -> Subject<'a> {
    let sources = || slot.sources.iter().map(|source| &model.tensors[*source as usize]);
    let layer = sources().find_map(|tensor| tensor.layer);
    Subject {
        name: &slot.name,
        sources: sources().map(|tensor| tensor.name.as_str()).collect(),
        roles: sources().map(|tensor| &tensor.role).collect(),
        layer: layer.and_then(|layer| layers.binary_search(&layer).ok()).map(|place| place as u32),
        layers: layers.len() as u32,
    }
}

fn selects_none(rule: &Rule, why: &str, hint: String) -> Failure {
    let message = format!("{}: `{}` selects no tensor of this model{why}", rule.place, rule.text);
    Failure::new(Class::InvalidArguments, message).suggest(hint)
}

/// Refuses layers that are not in the output, even beside others that are: such a rule was written for another model.
fn within(rule: &Rule, layers: u32) -> Result<(), Failure> {
    for term in rule.terms() {
        let Term::Layers(wanted) = term else { continue };
        if let Some(beyond) = wanted.beyond(layers) {
            let message = format!("{}: `{}` does not fit this model: it has no layer {beyond}", rule.place, rule.text);
            let hint = format!("Its layers are 0 to {}.", layers.saturating_sub(1));
            return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
        }
    }
    Ok(())
}

fn selects_nothing(rule: &Rule, plan: &Plan, model: &ModelDescription) -> Failure {
    let roles: BTreeSet<&Role> = model.tensors.iter().map(|tensor| &tensor.role).collect();
    for term in rule.terms() {
        match term {
            Term::Role(wanted) => {
                if let Some(absent) = wanted.iter().find(|role| !roles.contains(role)) {
                    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                    return selects_none(
                        rule,
                        &format!(": it has no role `{absent}`"),
                        hint(absent.as_str(), &words, "Its roles are: "),
                    );
                }
            }
            Term::Layers(_) | Term::Name(_) | Term::Source(_) => {}
        }
    }
    let mut parts: Vec<&str> =
        plan.slots.iter().filter(|slot| slot.choosable).flat_map(|slot| pieces(&slot.name)).collect();
    parts.sort_unstable();
    parts.dedup();
    let wanted: String = rule.selector().chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    selects_none(rule, "", hint(&wanted, &parts, "Names are made of: "))
}

/// The telling parts of a name: `blk.0.attn_v.weight` has `attn_v`.
fn pieces(name: &str) -> impl Iterator<Item = &str> {
    let telling = |piece: &&str| piece.len() > 3 && piece.parse::<u32>().is_err() && *piece != "weight";
    name.split(['.', '/']).filter(telling)
}

fn hint(word: &str, known: &[&str], introduction: &str) -> String {
    let near = nearest(word, known.iter().copied()).first().map(|near| format!("Did you mean `{near}`? "));
    let shown: Vec<&str> = known.iter().take(40).copied().collect();
    let more = if known.len() > shown.len() { ", ..." } else { "" };
    format!("{}{introduction}{}{more}.", near.unwrap_or_default(), shown.join(", "))
}
