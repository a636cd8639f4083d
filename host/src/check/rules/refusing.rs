//! What cannot be done must be refused before any work, with an error and not with a panic.

use super::super::report::Rule;
use super::super::specimen::Specimen;
use super::super::stage::{Services, Source, request};
use super::{Grade, Judge};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::{FormatDescriptor, Request};

pub const LEVEL: Rule = Rule { id: "refuse.level", sentence: "a level that does not exist is refused" };
pub const OPTION: Rule = Rule { id: "refuse.option", sentence: "an option that does not exist is refused" };
pub const STATISTICS: Rule =
    Rule { id: "refuse.statistics", sentence: "a level without the statistics that it requires is refused" };

pub fn judge(judge: &mut Judge, backend: &Backend, format: &FormatDescriptor, specimen: &Specimen) {
    let Some(first) = format.levels.first() else { return };
    let sound = request(specimen, format, first).0;
    judge.hold(LEVEL, &format.id, || {
        let request = Request { level: "NO_SUCH_LEVEL".into(), ..sound.clone() };
        refused(backend, specimen, &request)
    });
    judge.hold(OPTION, &format.id, || {
        let mut request = sound.clone();
        request.options.insert("no_such_option".into(), 1.into());
        refused(backend, specimen, &request)
    });
    for level in format.levels.iter().filter(|l| !l.requires_statistics.is_empty()) {
        judge.hold(STATISTICS, &format!("{} {}", format.id, level.id), || {
            let request = Request { statistics: Vec::new(), ..request(specimen, format, level).0 };
            refused(backend, specimen, &request)
        });
    }
}

fn refused(backend: &Backend, specimen: &Specimen, request: &Request) -> Result<Grade, String> {
    match backend.open_session(&Services::new(1), &Source(specimen), request) {
        Ok(_) => Err("it was accepted".into()),
        Err(error) if error.kind == Kind::Panic => Err(error.message),
        Err(error) => Ok(Grade::KeptWith(error.message)),
    }
}
