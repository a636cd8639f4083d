//! A backend must stop soon after it is asked to.

use super::super::report::Rule;
use super::super::specimen::Specimen;
use super::super::stage::{Destination, Services, Source, input, request};
use super::{Grade, Judge};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::{FormatDescriptor, Level, UnitKind};
use std::time::{Duration, Instant};

pub const CANCEL: Rule =
    Rule { id: "cancel.prompt", sentence: "a layer of ten million weights is left within a second of the request" };

const LIMIT: Duration = Duration::from_secs(1);

/// A busy machine can keep a prompt backend waiting; one prompt answer of these many shows that it listens.
const TRIES: usize = 3;

/// Work that goes on before the request.
const HEAD_START: Duration = Duration::from_millis(20);

pub fn judge(judge: &mut Judge, backend: &Backend, format: &FormatDescriptor, level: &Level) {
    judge.hold(CANCEL, &format!("{} {}", format.id, level.id), || {
        let mut answer = cancelled(backend, format, level);
        for _ in 1..TRIES {
            if matches!(answer, Err(Refusal::Late(_))) {
                answer = cancelled(backend, format, level);
            }
        }
        answer.map_err(|refusal| match refusal {
            Refusal::Late(seconds) => format!("it went on for {seconds:.2} s"),
            Refusal::Other(message) => message,
        })
    });
}

enum Refusal {
    Late(f64),
    Other(String),
}

fn cancelled(backend: &Backend, format: &FormatDescriptor, level: &Level) -> Result<Grade, Refusal> {
    let specimen = Specimen::large();
    let (mut request, measured) = request(&specimen, format, level);
    if level.requires_statistics.is_empty() {
        request.statistics.clear();
    }
    let services = Services::new(2);
    let source = Source(&specimen);
    let session = match backend.open_session(&services, &source, &request) {
        Ok(session) => session,
        Err(error) if error.kind == Kind::UnsupportedModel => return Ok(Grade::NotTried(error.message)),
        Err(error) => return Err(Refusal::Other(error.message)),
    };
    let layer = specimen.description.units.iter().position(|u| u.kind == UnitKind::Layer).unwrap_or(0) as u32;
    let measured = if request.statistics.is_empty() { Vec::new() } else { measured };
    let unit = input(&specimen, &measured, layer);
    let destination = Destination::new(session.plan(), &specimen);
    destination.begin(layer);
    let (result, waited) = std::thread::scope(|scope| {
        let switch = scope.spawn(|| {
            std::thread::sleep(HEAD_START);
            services.cancel();
            Instant::now()
        });
        let result = session.quantize(&services, &source, &unit, &destination);
        let end = Instant::now();
        (result, switch.join().map(|asked| end.saturating_duration_since(asked)))
    });
    let waited = waited.map_err(|_| Refusal::Other("the switch of the check panicked".to_owned()))?;
    match result {
        _ if waited > LIMIT => Err(Refusal::Late(waited.as_secs_f64())),
        Err(error) if error.kind == Kind::Cancelled => Ok(Grade::KeptWith(format!("{} ms", waited.as_millis()))),
        Err(error) => Err(Refusal::Other(format!("it stopped with another error: {}", error.message))),
        Ok(_) if waited.is_zero() => Ok(Grade::NotTried("it was done before it could be asked to stop".into())),
        Ok(_) => Ok(Grade::KeptWith(format!("it finished {} ms after the request", waited.as_millis()))),
    }
}
