//! What each layer of a model adds to the error by itself: it is handed what arrives there in the original.
//!
//! ```text
//! error_l = sum |q_l(x) - f_l(x)|^2 / sum |f_l(x) - x|^2      over all tokens
//! ```
//!
//! with x the hidden states that the *original* has in front of layer l, f_l the original's layer and q_l the model's. The
//! denominator is what the layer adds to the residual stream; what passes through it unchanged would hide any error. Errors of
//! earlier layers do not reach later ones here, so the worst layer is the worst layer, and not the last.

use super::EvaluationSpec;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::pass::{Pass, Room, Services, States, Subject};
use llmq_forward::{Nobody, Rows};
use llmq_measure::report::LayerQuality;

/// Takes all samples through the original, and each layer's rows through the model's layer as well. Rows of the original are
/// normed and wait for the head.
pub fn side_by_side(
    original: &Subject,
    subject: &Subject,
    samples: &llmq_text::Samples,
    spec: &EvaluationSpec,
    services: &Services<'_>,
) -> Result<(States, Vec<LayerQuality>), Failure> {
    let shape = |subject: &Subject| (subject.network.layers.len(), subject.network.embedding.width);
    let ((layers, width), (own, own_width)) = (shape(original), shape(subject));
    if (layers, width) != (own, own_width) {
        let message = format!(
            "the model has {own} layers of width {own_width}, the original {layers} of width {width}: they cannot be \
             compared layer by layer"
        );
        return Err(Failure::new(Class::InvalidArguments, message).suggest("Leave --by-layer out"));
    }
    let step = format!("Running both, layer by layer: {} tokens through {layers} layers", samples.tokens.len());
    services.observer.event(Event::Step(step));
    let (of_original, of_model) = (Pass::new(original, samples, services), Pass::new(subject, samples, services));
    let mut states = of_original.embedded(&Room::new(spec.memory_limit, 2))?;
    let mut qualities = Vec::with_capacity(layers);
    for layer in 0..layers {
        let mut sums = Sums::default();
        for tokens in of_original.batches() {
            let right = of_original.batch(layer, tokens.clone(), &mut states, &mut Nobody)?;
            let rounded = of_model.batch(layer, tokens.clone(), &mut states, &mut Nobody)?;
            sums.add(&states.read(tokens.start, tokens.len())?, &right, &rounded);
            states.write(tokens.start, &right)?;
        }
        let relative_error = sums.relative_error();
        qualities.push(LayerQuality { layer, relative_error });
        let told = format!("Layer {} of {layers}: relative error {relative_error:.3e}", layer + 1);
        services.observer.event(Event::Detail(told));
    }
    of_original.finished(&mut states)?;
    Ok((states, qualities))
}

/// Squares over all tokens, in the order of the text.
#[derive(Debug, Default)]
struct Sums {
    error: f64,
    added: f64,
}

impl Sums {
    fn add(&mut self, arriving: &Rows, right: &Rows, rounded: &Rows) {
        for ((from, right), rounded) in arriving.values.iter().zip(&right.values).zip(&rounded.values) {
            self.error += (f64::from(*rounded) - f64::from(*right)).powi(2);
            self.added += (f64::from(*right) - f64::from(*from)).powi(2);
        }
    }

    /// A layer that adds nothing, and whose copy adds nothing either, has no error.
    fn relative_error(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.added }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_a_share_of_what_the_layer_adds() {
        let rows = |values: [f32; 4]| Rows { values: values.to_vec(), columns: 2 };
        let mut sums = Sums::default();
        sums.add(&rows([1.0, 2.0, 0.0, 0.0]), &rows([1.0, 4.0, 3.0, 0.0]), &rows([1.5, 4.0, 3.0, 0.5]));
        assert_eq!(sums.relative_error(), 0.5 / 13.0);
        assert_eq!(Sums::default().relative_error(), 0.0);
    }
}
