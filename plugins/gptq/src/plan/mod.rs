//! The whole output before any weight is read: which tensors become what, and where every byte goes.

mod config;
mod files;
mod linear;
mod need;
mod pieces;
mod select;

pub use files::{Layout, Packed, Place};
pub use linear::{Linear, encoding};
pub use pieces::PLAIN;

use crate::choices::{Choices, Zeros};
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::Request;

/// Plans a model.
pub fn plan(model: &Model, choices: &Choices, request: &Request) -> Result<(Layout, Zeros), Error> {
    let description = model.description();
    let linears = select::linears(description, choices)?;
    for linear in &linears {
        choices.target.check(linear)?;
    }
    let symmetric = linears.iter().all(|linear| linear.settings.symmetric);
    let zeros = choices.zeros.unwrap_or_else(|| choices.target.zeros(symmetric));
    let mut warnings = choices.target.check_all(choices, zeros, &linears)?;
    let modules: Vec<&str> = select::candidates(description, true).map(|(_, module)| module).collect();
    let idle = choices.rules.idle(&modules);
    if !idle.is_empty() {
        warnings.push(format!("rules of --dynamic that match no module: {}", idle.join(", ")));
    }
    if linears.is_empty() {
        let message =
            "no tensor would be quantized: the model has no linear layers in its decoder that the rules leave";
        return Err(Error::new(Kind::UnsupportedModel, message).hint("look at the rules of --dynamic"));
    }
    warnings.extend(need::unseen(&linears, request)?);
    let units = need::units(description, &linears);
    let quantization = config::quantization(choices, zeros, &request.creator);
    let mut layout = Layout::weights(description, linears, choices.shard_bytes)?;
    layout.plan.units = units;
    layout.plan.warnings = warnings;
    layout.plan.refuses_non_finite = true;
    layout.carry("config.json", config::config(description, &quantization));
    layout.carry("quantize_config.json", config::pretty(&quantization));
    for name in description.files.iter().filter(|name| is_carried(name)) {
        layout.carry(name, model.file(name)?);
    }
    Ok((layout, zeros))
}

/// Files that are written anew, and weights.
fn is_carried(name: &str) -> bool {
    let anew = ["config.json", "quantize_config.json", "model.safetensors.index.json"];
    !anew.contains(&name) && ![".safetensors", ".bin", ".gguf"].iter().any(|ending| name.ends_with(ending))
}
