//! How good a model is on a text, by itself or against the original it was made from.
//!
//! Both models go through the text layer by layer ([`crate::pass`]); what is left of each is a row per token, from which
//! logits are computed a few rows at a time. So neither model, nor any table of logits, is ever in memory whole.

mod scoring;
mod spec;
mod texts;

pub use spec::EvaluationSpec;
pub use texts::{open_tokenizer, read, refused};

use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::pass::{Pass, Room, Services, States, Subject};
use llmq_forward::Nobody;
use llmq_measure::{Comparison, Score};

/// What came of it.
pub enum Outcome {
    /// One model by itself.
    Alone(Score),
    /// A model against its original.
    Compared(Comparison),
}

/// Evaluates a model on samples.
pub fn evaluate(
    subject: &Subject,
    original: Option<&Subject>,
    samples: &llmq_text::Samples,
    spec: &EvaluationSpec,
    services: Services<'_>,
) -> Result<Outcome, Failure> {
    if let Some(original) = original {
        let (one, two) = (subject.network.embedding.vocab, original.network.embedding.vocab);
        if one != two {
            let message = format!("the model has {one} rows of tokens, the original {two}: they cannot be compared");
            return Err(
                Failure::new(Class::InvalidArguments, message).suggest("Check that one was made from the other")
            );
        }
    }
    let run = |subject: &Subject, name: &str| states(subject, samples, spec, &services, name);
    match original {
        None => {
            let states = run(subject, "the model")?;
            scoring::alone(subject, states, samples, spec, &services).map(Outcome::Alone)
        }
        Some(original) => {
            let base = run(original, "the original")?;
            let other = run(subject, "the model")?;
            scoring::compared([original, subject], [base, other], samples, spec, &services).map(Outcome::Compared)
        }
    }
}

/// Takes all samples through a model; rows are normed and wait for the head.
fn states(
    subject: &Subject,
    samples: &llmq_text::Samples,
    spec: &EvaluationSpec,
    services: &Services<'_>,
    name: &str,
) -> Result<States, Failure> {
    let layers = subject.network.layers.len();
    let pass = Pass::new(subject, samples, services);
    services
        .observer
        .event(Event::Step(format!("Running {name}: {} tokens through {layers} layers", samples.tokens.len())));
    let room = Room::new(spec.memory_limit, if spec.against.is_some() { 2 } else { 1 });
    let mut states = pass.embedded(&room)?;
    for layer in 0..layers {
        pass.layer(layer, &mut states, &mut Nobody)?;
        services.observer.event(Event::Detail(format!("Layer {} of {layers} done", layer + 1)));
    }
    pass.finished(&mut states)?;
    Ok(states)
}
