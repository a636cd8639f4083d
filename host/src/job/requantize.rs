//! Tensors that are quantized already: encoding them anew loses a second time, so it asks for permission.

use super::weights::Weights;
use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::{Plan, Slot};
use std::collections::BTreeMap;

/// Refuses a plan that encodes quantized tensors anew without permission.
///
/// In a job from a format to itself, only keeping the encoding is free, as the format's own tools have it. Between
/// formats, plain numbers are free as well: they hold exactly what was decoded.
pub fn check(plan: &Plan, source: &dyn Weights, allowed: bool) -> Result<(), Failure> {
    let encoded = encoded_anew(plan, source);
    let Some((name, from, to)) = encoded.first().filter(|_| !allowed) else { return Ok(()) };
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    encoded.iter().for_each(|(_, from, _)| *kinds.entry(from).or_default() += 1);
    let kinds: Vec<String> = kinds.into_iter().map(|(from, count)| format!("{count} {from}")).collect();
    let message = format!(
        "{} tensors are quantized already ({}) and would be encoded anew, `{name}` from {from} to {to}: what the first \
         quantization lost stays lost, and the second adds to it",
        encoded.len(),
        kinds.join(", ")
    );
    Err(Failure::new(Class::InvalidArguments, message)
        .suggest("Quantize the unquantized model instead, or allow it with --allow-requantize (`convert`: --force)"))
}

/// Output tensors that are made from quantized ones in another encoding: name, old and new encoding.
pub fn encoded_anew<'a>(plan: &'a Plan, source: &'a dyn Weights) -> Vec<(&'a str, &'a str, &'a str)> {
    let same_format = source.description().stored_as.is_some();
    let anew = |slot: &'a Slot| {
        let from = slot.sources.iter().find_map(|index| source.encoding(*index as usize))?;
        let free = if same_format { from == slot.encoding } else { crate::stored::is_plain(&slot.encoding) };
        (!free).then_some((slot.name.as_str(), from, slot.encoding.as_str()))
    };
    plan.slots.iter().filter_map(anew).collect()
}
