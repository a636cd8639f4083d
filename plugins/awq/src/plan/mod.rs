//! The whole output before any weight is read: which tensors become what, and where every byte goes.

mod activation;
mod config;
mod linear;
mod need;
mod pieces;
mod select;

pub use activation::is_scales;
pub use linear::{Linear, encoding};
pub use pieces::Packed;

use crate::choices::{Choices, Extent};
use crate::target::Target;
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::Request;
use llmq_safetensors_folders::config::{config, pretty};
use llmq_safetensors_folders::files::{Layout, Replaced};
use llmq_safetensors_folders::offered::{ALONE, unseen};
use llmq_safetensors_folders::select::candidates;
use llmq_safetensors_folders::transformers;

/// What older loaders read.
const OLDER: &str = "quant_config.json";

/// Plans a model.
pub fn plan(model: &Model, choices: &Choices, request: &Request) -> Result<Layout<Linear>, Error> {
    let description = model.description();
    let linears = select::linears(description, choices)?;
    for linear in &linears {
        choices.target.check(linear)?;
    }
    if linears.is_empty() {
        let message = "no tensor would be quantized: the model has no linear layers in its decoder that are not kept";
        return Err(Error::new(Kind::UnsupportedModel, message).hint("look at --modules-to-not-convert"));
    }
    let mut warnings: Vec<String> = choices.target.unusual(choices.group).into_iter().collect();
    warnings.extend(choices.target.misread(&description.config));
    match transformers::loses(linears.iter().map(|linear| linear.module.as_str()), &description.config) {
        Some(lost) if choices.target == Target::Transformers => {
            return Err(Error::new(Kind::InvalidRequest, lost).subject("target").hint(transformers::HINT));
        }
        Some(lost) if choices.target == Target::Any => warnings.push(lost),
        _ => {}
    }
    if choices.target == Target::Any && !choices.kept.is_empty() {
        let sentence = "GPTQModel's own loader passes over --modules-to-not-convert and computes with weights that nobody set; \
                        transformers, vLLM and SGLang keep to it";
        warnings.push(sentence.into());
    }
    let idle = |text: &&String| !candidates(description, false).any(|(_, module)| module.contains(text.as_str()));
    for text in choices.kept.iter().filter(idle) {
        warnings.push(format!("no module's name contains `{text}` of --modules-to-not-convert"));
    }
    if !choices.alone() {
        let matrices: Vec<(usize, &str)> =
            linears.iter().map(|linear| (linear.tensor, linear.module.as_str())).collect();
        warnings.extend(unseen(&matrices, request)?);
    }
    let kept = select::kept(description, &linears);
    let units = need::units(description, &linears, choices.alone());
    let activations = activation::scales(description, choices.target);
    if let Some(first) = activations.first().filter(|_| choices.target == Target::Any) {
        warnings.push(format!(
            "transformers divides the activations of this family by stored scales; they are written, all one, from `{}` on. \
             A loader that does not know them may refuse the folder: then say which one with --target",
            first.name
        ));
    }
    let replace = |linear: Linear| {
        let pieces = pieces::packed(&linear)?;
        Ok(Replaced { source: linear.tensor, matrix: linear, pieces })
    };
    let replaced = linears.into_iter().map(replace).collect::<Result<Vec<_>, Error>>()?;
    let mut layout = Layout::weights(description, replaced, activations, choices.shard_bytes)?;
    layout.plan.units = units;
    layout.plan.warnings = warnings;
    layout.plan.notes.extend(choices.alone().then(|| ALONE.to_owned()));
    layout.plan.refuses_non_finite = true;
    layout.plan.folds = choices.smooth != Extent::None;
    layout.carry("config.json", config(description, &config::quantization(choices, &kept)));
    layout.carry(OLDER, pretty(&config::older(choices, &kept)));
    layout.carry_along(model, &[OLDER])?;
    Ok(layout)
}
