//! The order of a check: what the backend says, what it refuses, every level on every specimen, damage, cancelling.

use super::report::Report;
use super::rules::{
    Judge, Line, cancelling, describing, finite, folding, hostile, planning, reading, refusing, writing,
};
use super::specimen::Specimen;
use super::stage::{Performance, request};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::wire::{FormatDescriptor, Level, Manifest};

/// Checks a backend in this process. Without a manifest (a backend that is linked in), the rules about it are skipped.
pub fn check_backend(backend: &Backend, manifest: Option<&Manifest>) -> Report {
    check_and_tell(backend, manifest, &mut |_| {})
}

/// The same, telling every step.
pub(super) fn check_and_tell(backend: &Backend, manifest: Option<&Manifest>, tell: &mut dyn FnMut(&Line)) -> Report {
    check_on(&[Specimen::regular(), Specimen::odd()], backend, manifest, tell)
}

/// The same, on other models.
pub(super) fn check_on(
    specimens: &[Specimen],
    backend: &Backend,
    manifest: Option<&Manifest>,
    tell: &mut dyn FnMut(&Line),
) -> Report {
    let descriptor = backend.descriptor();
    let mut judge = Judge::new(tell);
    describing::judge(&mut judge, backend, manifest);
    for format in descriptor.formats.iter().filter(|f| f.can_write) {
        refusing::judge(&mut judge, backend, format, &specimens[0]);
        planning::alone(&mut judge, backend, format, &specimens[0]);
        // A level that keeps encodings is for sources in the format itself, which no specimen is.
        for (place, level) in format.levels.iter().filter(|level| !level.keeps_encodings).enumerate() {
            for specimen in specimens {
                let case = format!("{} {} {}", format.id, level.id, specimen.name);
                let performed = one(&mut judge, backend, format, level, specimen, &case);
                // Damage is about the container, which all levels share.
                if let Some(performed) = performed
                    && format.can_read
                    && place == 0
                {
                    hostile::judge(&mut judge, backend, &case, &performed);
                }
            }
        }
        if let Some(level) = format.levels.first() {
            cancelling::judge(&mut judge, backend, format, level);
        }
    }
    Report { plugin: descriptor.id.clone(), version: descriptor.version.clone(), verdicts: judge.finish() }
}

fn one(
    judge: &mut Judge,
    backend: &Backend,
    format: &FormatDescriptor,
    level: &Level,
    specimen: &Specimen,
    case: &str,
) -> Option<Performance> {
    let request = request(specimen, format, level);
    let performed = writing::judge(judge, backend, specimen, &request, case)?;
    finite::judge(judge, backend, specimen, &request, case, &performed);
    folding::judge(judge, backend, specimen, &request, case, &performed);
    planning::judge(judge, backend, specimen, &request.0, case, &performed);
    if format.can_read {
        reading::judge(judge, &reading::Trial { backend, format, level, specimen, performed: &performed, case });
    }
    Some(performed)
}
