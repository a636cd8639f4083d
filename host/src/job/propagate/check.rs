//! What a backend must be able to do, so that later layers can see its quantized ones.

use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::{FormatDescriptor, Plan, SeenByLaterLayers};

/// Refuses what cannot be done with this format and plan.
pub fn check(sees: SeenByLaterLayers, format: &FormatDescriptor, plan: &Plan, plugin: &str) -> Result<(), Failure> {
    let refuse = |reason: String, other: &str| {
        let message = format!("later layers cannot see what is {} here: {reason}", sees.word());
        Err(Failure::new(Class::InvalidArguments, message).suggest(format!("Use --later-layers-see {other}.")))
    };
    if sees.is_original() {
        return Ok(());
    }
    if !format.can_read {
        return refuse(format!("plugin `{plugin}` does not read its own format `{}`", format.id), "original");
    }
    if sees != SeenByLaterLayers::QuantizedByStage {
        return Ok(());
    }
    match plan {
        Plan { folds: true, .. } => refuse(
            format!("plugin `{plugin}` scales channels of a layer before any of it is quantized"),
            "quantized or original",
        ),
        Plan { takes_parts: false, .. } => {
            refuse(format!("plugin `{plugin}` takes layers as a whole"), "quantized or original")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_backend_cannot_do_is_refused_with_what_it_can() {
        let format = |reads: bool| -> FormatDescriptor {
            serde_json::from_value(json!({"id": "t", "summary": "", "can_write": true, "can_read": reads,
                "container": "file", "levels": []}))
            .unwrap()
        };
        let [original, whole, stages] = SeenByLaterLayers::ALL;
        let (plain, parts) = (Plan::default(), Plan { takes_parts: true, ..Plan::default() });
        let scales = Plan { folds: true, takes_parts: true, ..Plan::default() };
        for (sees, reads, plan) in [(original, false, &plain), (whole, true, &scales), (stages, true, &parts)] {
            assert!(check(sees, &format(reads), plan, "toy").is_ok(), "{sees:?}");
        }
        for (sees, reads, plan, word, other) in [
            (whole, false, &plain, "does not read", "see original."),
            (stages, true, &plain, "as a whole", "see quantized or"),
            (stages, true, &scales, "scales channels", "see quantized or"),
        ] {
            let failure = check(sees, &format(reads), plan, "toy").unwrap_err();
            assert_eq!(failure.class, Class::InvalidArguments);
            assert!(failure.message.contains(word) && failure.suggestion.contains(other), "{failure:?}");
        }
    }
}
