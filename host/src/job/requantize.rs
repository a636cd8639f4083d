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

/// An output tensor that is made from a quantized one and loses something by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reencoded {
    /// Its name in the output.
    pub name: String,
    /// Encoding of the input.
    pub from: String,
    /// Encoding of the output.
    pub to: String,
    /// Bits per weight of the input.
    pub from_bits: f64,
    /// Bits per weight of the output.
    pub to_bits: f64,
}

/// Tensors that lose a second time. Plain numbers lose nothing worth a word, whatever the formats.
pub fn losing(plan: &Plan, source: &dyn Weights) -> Vec<Reencoded> {
    let lossy: BTreeMap<&str, (&str, &str)> = encoded_anew(plan, source)
        .into_iter()
        .filter(|(_, _, to)| !crate::stored::is_plain(to))
        .map(|(name, from, to)| (name, (from, to)))
        .collect();
    let tensors = &source.description().tensors;
    let one = |slot: &Slot| {
        let (from, to) = lossy.get(slot.name.as_str())?;
        let sources = slot.sources.iter().map(|index| *index as usize);
        let weights: u64 = sources.clone().filter_map(|index| Some(tensors.get(index)?.elements())).sum();
        let stored: u64 = sources.map(|index| source.stored_bytes(index)).fold(0, u64::saturating_add);
        let bits = |bytes: u64| bytes as f64 * 8.0 / weights.max(1) as f64;
        let (from_bits, to_bits) = (bits(stored), bits(slot.bytes));
        Some(Reencoded { name: slot.name.clone(), from: (*from).into(), to: (*to).into(), from_bits, to_bits })
    };
    plan.slots.iter().filter_map(one).collect()
}
