//! How good a model is on a text, by itself or against the original it was made from.
//!
//! Both models go through the text layer by layer ([`crate::pass`]); what is left of each is a row per token, from which
//! logits are computed a few rows at a time. So neither model, nor any table of logits, is ever in memory whole.

mod layers;
mod saving;
mod scoring;
mod spec;
mod stored;
mod texts;

pub use saving::Saving;
pub use spec::EvaluationSpec;
pub use stored::StoredOriginal;
pub use texts::{open_tokenizer, read, refused};

use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::pass::{Pass, Room, Services, States, Subject};
use llmq_forward::Nobody;
use llmq_measure::report::LayerQuality;
use llmq_measure::{Comparison, Score};

/// What a model is held against.
pub enum Against<'a> {
    /// Nothing; its log-probabilities may be kept for others to be held against.
    Nothing(Option<&'a mut Saving>),
    /// The original.
    Model(&'a Subject),
    /// The original's log-probabilities.
    Stored(&'a mut StoredOriginal),
}

/// What came of it.
pub enum Outcome {
    /// One model by itself.
    Alone(Score),
    /// A model against its original, and layer by layer where that was asked for.
    Compared(Comparison, Vec<LayerQuality>),
}

/// Evaluates a model on samples. A stored original must be one of these samples and of the model's vocabulary.
pub fn evaluate(
    subject: &Subject,
    against: Against<'_>,
    samples: &llmq_text::Samples,
    spec: &EvaluationSpec,
    services: Services<'_>,
) -> Result<Outcome, Failure> {
    let run = |subject: &Subject, name: &str| states(subject, samples, spec, &services, name);
    match against {
        Against::Nothing(saving) => {
            let states = run(subject, "the model")?;
            scoring::alone(subject, states, samples, spec, saving, &services).map(Outcome::Alone)
        }
        Against::Model(original) => {
            let (one, two) = (subject.network.embedding.vocab, original.network.embedding.vocab);
            if one != two {
                let message =
                    format!("the model has {one} rows of tokens, the original {two}: they cannot be compared");
                return Err(
                    Failure::new(Class::InvalidArguments, message).suggest("Check that one was made from the other")
                );
            }
            let (base, layers) = match spec.by_layer {
                true => layers::side_by_side(original, subject, samples, spec, &services)?,
                false => (run(original, "the original")?, Vec::new()),
            };
            let other = run(subject, "the model")?;
            let comparison = scoring::compared([original, subject], [base, other], samples, spec, &services)?;
            Ok(Outcome::Compared(comparison, layers))
        }
        Against::Stored(stored) => {
            let states = run(subject, "the model")?;
            let comparison = scoring::against_stored(subject, states, samples, stored, &services)?;
            Ok(Outcome::Compared(comparison, Vec::new()))
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
