//! The written bytes: complete, each once, and the same however the work is spread.

use super::super::report::Rule;
use super::super::specimen::{Measured, Specimen};
use super::super::stage::{Order, Performance, Services, perform};
use super::{Grade, Judge, keep};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::Request;

pub const COMPLETES: Rule =
    Rule { id: "write.completes", sentence: "a model is planned soundly and quantized, or refused as unsupported" };
pub const COVERS: Rule =
    Rule { id: "write.covers", sentence: "every byte of every slot is written exactly once, during its unit" };
pub const THREADS: Rule = Rule { id: "write.threads", sentence: "one thread and four give the same bytes" };
pub const ORDER: Rule =
    Rule { id: "write.order", sentence: "units in any order, each in a new session, give the same bytes" };
pub const PARTS: Rule = Rule {
    id: "write.parts",
    sentence: "units handed in linear layer by linear layer give the same bytes where the plan takes parts",
};
pub const RELEASES: Rule = Rule { id: "write.releases", sentence: "memory reservations are given back" };

/// Quantizes once and judges; the result is the material of the other rules.
pub fn judge(
    judge: &mut Judge,
    backend: &Backend,
    specimen: &Specimen,
    request: &(Request, Vec<Measured>),
    case: &str,
) -> Option<Performance> {
    let mut performed = None;
    judge.hold(COMPLETES, case, || match perform(backend, specimen, request, &Services::new(1), Order::Forward) {
        Ok(done) => {
            let bytes = done.plan.total_bytes();
            performed = Some(done);
            Ok(Grade::KeptWith(format!("{bytes} bytes")))
        }
        Err(error) if error.kind == Kind::UnsupportedModel => {
            Ok(Grade::NotTried(format!("refused as unsupported: {}", error.message)))
        }
        Err(error) => Err(error.message),
    });
    let performed = performed?;
    judge.hold(COVERS, case, || covered(&performed));
    let mut same = |rule, threads, order| {
        judge.hold(rule, case, || {
            let again = perform(backend, specimen, request, &Services::new(threads), order).map_err(|e| e.message)?;
            match differing_file(&performed, &again) {
                None => Ok(Grade::Kept),
                Some(difference) => Err(difference),
            }
        })
    };
    same(THREADS, 4, Order::Forward);
    same(ORDER, 2, Order::BackwardAlone);
    if performed.plan.takes_parts {
        same(PARTS, 2, Order::InParts);
    }
    judge.hold(RELEASES, case, || {
        keep(performed.unreleased == 0, || format!("{} reservations were kept", performed.unreleased))
    });
    Some(performed)
}

fn covered(performed: &Performance) -> Result<Grade, String> {
    if let Some(misdeed) = performed.misdeeds.first() {
        return Err(misdeed.clone());
    }
    for (slot, contents) in performed.plan.slots.iter().zip(&performed.slots) {
        if let Some(at) = contents.times.iter().position(|times| *times != 1) {
            let (name, times) = (&slot.name, contents.times[at]);
            return Err(format!("byte {at} of {} of slot `{name}` was written {times} times", slot.bytes));
        }
    }
    Ok(Grade::Kept)
}

fn differing_file(first: &Performance, second: &Performance) -> Option<String> {
    if first.files.len() != second.files.len() {
        return Some(format!("{} files against {}", first.files.len(), second.files.len()));
    }
    let mut pairs = first.files.iter().zip(&second.files);
    let ((name, a), (_, b)) = pairs.find(|(a, b)| a != b)?;
    let at = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(a.len().min(b.len()));
    let slot = first
        .plan
        .slots
        .iter()
        .find(|s| first.files[s.file as usize].0 == *name && (s.offset..s.offset + s.bytes).contains(&(at as u64)));
    Some(format!(
        "`{name}` differs at byte {at}, in {}",
        slot.map_or("a literal".into(), |s| format!("slot `{}`", s.name))
    ))
}
