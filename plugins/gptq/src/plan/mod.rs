//! The whole output before any weight is read: which tensors become what, and where every byte goes.

mod config;
mod linear;
mod need;
mod pieces;
mod select;

pub use linear::{Linear, encoding};
pub use pieces::Packed;

use crate::choices::{Choices, Rounding, Zeros};
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::Request;
use llmq_safetensors_folders::config::{config, pretty};
use llmq_safetensors_folders::files::{Layout, Replaced};
use llmq_safetensors_folders::offered::{ALONE, unseen};
use llmq_safetensors_folders::select::candidates;

/// Plans a model.
pub fn plan(model: &Model, choices: &Choices, request: &Request) -> Result<(Layout<Linear>, Zeros), Error> {
    let description = model.description();
    let linears = select::linears(description, choices)?;
    for linear in &linears {
        choices.target.check(linear)?;
    }
    let symmetric = linears.iter().all(|linear| linear.settings.symmetric);
    let zeros = choices.zeros.unwrap_or_else(|| choices.target.zeros(symmetric));
    let mut warnings = choices.target.check_all(choices, zeros, &linears, &description.config)?;
    let modules: Vec<&str> = candidates(description, true).map(|(_, module)| module).collect();
    let idle = choices.rules.idle(&modules);
    if !idle.is_empty() {
        warnings.push(format!("rules of --dynamic that match no module: {}", idle.join(", ")));
    }
    if linears.is_empty() {
        let message =
            "no tensor would be quantized: the model has no linear layers in its decoder that the rules leave";
        return Err(Error::new(Kind::UnsupportedModel, message).hint("look at the rules of --dynamic"));
    }
    let alone = choices.rounding == Rounding::Nearest;
    if !alone {
        let matrices: Vec<(usize, &str)> =
            linears.iter().map(|linear| (linear.tensor, linear.module.as_str())).collect();
        warnings.extend(unseen(&matrices, request)?);
    }
    let units = need::units(description, &linears, alone);
    let quantization = config::quantization(choices, zeros, &request.creator);
    let replace = |linear: Linear| {
        let pieces = pieces::packed(&linear)?;
        Ok(Replaced { source: linear.tensor, matrix: linear, pieces })
    };
    let replaced = linears.into_iter().map(replace).collect::<Result<Vec<_>, Error>>()?;
    let mut layout = Layout::weights(description, replaced, Vec::new(), choices.shard_bytes)?;
    layout.plan.units = units;
    layout.plan.warnings = warnings;
    layout.plan.notes.extend(alone.then(|| ALONE.to_owned()));
    layout.plan.refuses_non_finite = true;
    // A matrix is rounded with its own Gram matrix; nothing is shared between those of other inputs.
    layout.plan.takes_parts = true;
    layout.carry("config.json", config(description, &quantization));
    layout.carry("quantize_config.json", pretty(&quantization));
    layout.carry_along(model, &["quantize_config.json"])?;
    Ok((layout, zeros))
}
