//! The result of a conversion in words: what went in, then the job, then what was lost.

use super::{job, number};
use crate::convert::Conversion;
use crate::job::Loss;

/// Input, result and loss.
pub fn conversion(done: &Conversion) -> String {
    let input = done.input();
    let mut text = format!(
        "Input        {} ({}, {:.2} bits per weight{})\n",
        input.path.display(),
        input.words(),
        input.bits_per_weight,
        if input.quantized { "" } else { ", not quantized" }
    );
    text.push_str(&job(&done.job));
    text.push_str(&format!("Loss         {}\n", loss(done.job.loss.as_ref())));
    text
}

fn loss(loss: Option<&Loss>) -> String {
    let Some(loss) = loss else { return "unknown: the plugin does not read its own format".into() };
    let Some(worst) = &loss.worst else { return "none: no tensor is quantized on either side".into() };
    format!(
        "relative error {:.4} against the input over {} weights of {} tensors; largest {:.4} in {} ({})",
        loss.relative_error,
        number::count(loss.weights),
        loss.tensors,
        worst.relative_error,
        worst.name,
        worst.encoding
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::WorstTensor;

    #[test]
    fn the_loss_names_the_worst_tensor() {
        let worst = WorstTensor {
            name: "w".into(),
            encoding: "Q4_K".into(),
            relative_squared_error: 0.01,
            relative_error: 0.1,
        };
        let mut found = Loss {
            relative_squared_error: 0.0025,
            relative_error: 0.05,
            tensors: 2,
            weights: 1200,
            worst: Some(worst),
        };
        let words =
            "relative error 0.0500 against the input over 1,200 weights of 2 tensors; largest 0.1000 in w (Q4_K)";
        assert_eq!(loss(Some(&found)), words);
        found.worst = None;
        assert!(loss(Some(&found)).starts_with("none"));
        assert!(loss(None).starts_with("unknown"));
    }
}
