//! A plan is a function of model and request, and accounts for every tensor. Its bounds and overlaps are checked before
//! anything is written ([`super::writing::COMPLETES`]).

use super::super::report::Rule;
use super::super::specimen::Specimen;
use super::super::stage::{Performance, Services, Source, request};
use super::{Grade, Judge, keep};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::{self, FormatDescriptor, Request};

pub const REPEATS: Rule =
    Rule { id: "plan.repeats", sentence: "the same request gives the same plan and literals, with any thread count" };
pub const ALONE: Rule = Rule {
    id: "plan.alone",
    sentence: "with settings that look at the weights alone every level is planned without statistics, and needs none",
};
pub const COMPLETE: Rule =
    Rule { id: "plan.complete", sentence: "every tensor of the model is written, or dropped with a reason" };

pub fn alone(judge: &mut Judge, backend: &Backend, format: &FormatDescriptor, specimen: &Specimen) {
    for settings in &format.weights_alone {
        judge.hold(ALONE, &format.id, || {
            for level in &format.levels {
                let mut request = Request { statistics: Vec::new(), ..request(specimen, format, level).0 };
                request.options.extend(settings.clone());
                let session = match backend.open_session(&Services::new(1), &Source(specimen), &request) {
                    // Groups of this level may not fit the specimen.
                    Err(error) if error.kind == Kind::UnsupportedModel => continue,
                    opened => opened.map_err(|error| error.message)?,
                };
                if let Some(need) = session.plan().units.iter().flat_map(|unit| &unit.statistics).next() {
                    return Err(format!("level `{}` asks for {:?} of tensor {}", level.id, need.kinds, need.tensor));
                }
            }
            Ok(Grade::Kept)
        });
    }
}

pub fn judge(
    judge: &mut Judge,
    backend: &Backend,
    specimen: &Specimen,
    request: &Request,
    case: &str,
    performed: &Performance,
) {
    judge.hold(REPEATS, case, || {
        let session = backend.open_session(&Services::new(4), &Source(specimen), request).map_err(|e| e.message)?;
        if wire::encode(session.plan()) != wire::encode(&performed.plan) {
            return Err("the second plan differs from the first".into());
        }
        for (index, span) in performed.plan.literals.iter().enumerate() {
            let start = span.offset as usize;
            let first = &performed.files[span.file as usize].1[start..start + span.bytes as usize];
            if session.literal(index).map_err(|e| e.message)? != first {
                return Err(format!("literal {index} differs from the first time"));
            }
        }
        Ok(Grade::Kept)
    });
    judge.hold(COMPLETE, case, || {
        let plan = &performed.plan;
        let unreasoned = plan.dropped.iter().find(|(_, reason)| reason.trim().is_empty());
        if let Some((name, _)) = unreasoned {
            return Err(format!("`{name}` is dropped without a reason"));
        }
        let written = |index: usize| plan.slots.iter().any(|s| s.sources.contains(&(index as u32)));
        let missing = specimen
            .description
            .tensors
            .iter()
            .enumerate()
            .find(|(index, tensor)| !written(*index) && !plan.dropped.iter().any(|(name, _)| *name == tensor.name));
        keep(missing.is_none(), || format!("`{}` is neither written nor dropped", missing.map_or("", |(_, t)| &t.name)))
    });
}
