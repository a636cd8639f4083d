//! Which model and which text a report is about.

use crate::failure::Failure;
use crate::job::Weights;
use llmq_measure::report::{ModelIdentity, TextIdentity};

/// A model, as reports name it.
pub fn model_identity(weights: &dyn Weights) -> Result<ModelIdentity, Failure> {
    let description = weights.description();
    let (parameters, bytes) = (description.parameter_count(), weights.source_bytes());
    Ok(ModelIdentity {
        name: description.name.clone(),
        format: None,
        level: Some(description.dtype.clone()).filter(|dtype| !dtype.is_empty()),
        fingerprint: Some(weights.fingerprint()?.content),
        parameters: Some(parameters),
        bytes: Some(bytes),
        bits_per_weight: (parameters > 0).then(|| bytes as f64 * 8.0 / parameters as f64),
    })
}

/// A text, as reports name it.
pub fn text_identity(report: &llmq_text::Report) -> TextIdentity {
    let names: Vec<&str> = report.files.iter().map(|file| file.name.as_str()).collect();
    TextIdentity {
        name: names.join(", "),
        digest: report.digest.clone(),
        tokens: report.tokens_used as u64,
        dropped: report.tokens_dropped as u64,
    }
}
