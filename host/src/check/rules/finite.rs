//! Weights that are no numbers: a plan may promise to refuse them, and then must.

use super::super::report::Rule;
use super::super::specimen::{Measured, Specimen};
use super::super::stage::{Order, Performance, Services, perform};
use super::{Grade, Judge};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::Request;

pub const REFUSES: Rule =
    Rule { id: "write.finite", sentence: "weights that are no finite numbers are refused where the plan promises it" };

/// Tries one written tensor per case, another one from case to case.
pub fn judge(
    judge: &mut Judge,
    backend: &Backend,
    specimen: &Specimen,
    request: &(Request, Vec<Measured>),
    case: &str,
    performed: &Performance,
) {
    if !performed.plan.refuses_non_finite {
        return;
    }
    let written: Vec<u32> = performed.plan.slots.iter().flat_map(|slot| slot.sources.iter().copied()).collect();
    let turn = case.bytes().map(usize::from).sum::<usize>();
    let Some(tensor) = written.get(turn % written.len().max(1)) else { return };
    judge.hold(REFUSES, case, || {
        let poisoned = specimen.poisoned(*tensor as usize);
        let name = &specimen.description.tensors[*tensor as usize].name;
        match perform(backend, &poisoned, request, &Services::new(1), Order::Forward) {
            Err(error) if error.kind == Kind::CorruptInput => Ok(Grade::KeptWith(error.message)),
            Err(error) => Err(format!("`{name}` with a NaN in it is refused for another reason: {}", error.message)),
            Ok(_) => Err(format!("`{name}` was written although one of its weights is NaN")),
        }
    });
}
