//! A plan as text. The same job gives the same bytes.

use super::document::VERSION;
use llmq_plugin_api::wire::{ModelDescription, Plan, Request};
use serde_json::Value;
use std::fmt::Write;

/// The text of a plan file. `content` is the model's fingerprint.
pub fn write(request: &Request, plan: &Plan, model: &ModelDescription, content: &str) -> String {
    let mut text = format!(
        "# Plan of llm-quantize. Edit the types below, then: llm-quantize quantize MODEL {} --plan FILE\n\
         plan = {VERSION}\nformat = {}\nlevel = {}\n\n[model]\nname = {}\narchitecture = {}\n\
         # Without this line the plan is for every model with tensors of these shapes.\ncontent = {}\n",
        request.format,
        quoted(&request.format),
        quoted(&request.level),
        quoted(&model.name),
        quoted(&model.architecture),
        quoted(content),
    );
    if let Some(origin) = &request.statistics_origin {
        let files: Vec<String> = origin.files.iter().map(|file| quoted(file)).collect();
        let _ = write!(
            text,
            "\n# Give the same files with --imatrix when the plan is run.\n[importance]\nfiles = [{}]\nentries = {}\n",
            files.join(", "),
            origin.entries
        );
    }
    text.push_str("\n[options]\n");
    for (name, value) in request.options.iter().filter(|(_, value)| !value.is_null()) {
        let _ = writeln!(text, "{} = {}", quoted(name), literal(value));
    }
    text.push_str("\n[tensors]\n");
    let names: Vec<String> = plan.slots.iter().map(|slot| quoted(&slot.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (slot, name) in plan.slots.iter().zip(names) {
        let shape: Vec<String> = slot.shape.iter().map(u64::to_string).collect();
        let _ =
            write!(text, "{name:<width$} = {{ type = {}, shape = [{}] }}", quoted(&slot.encoding), shape.join(", "));
        let note = slot.note.replace(char::is_control, " ");
        match (slot.choosable, note.is_empty()) {
            (true, true) => text.push('\n'),
            (true, false) => text.push_str(&format!("  # {note}\n")),
            (false, true) => text.push_str("  # not free\n"),
            (false, false) => text.push_str(&format!("  # not free: {note}\n")),
        }
    }
    text
}

/// A basic string, which keys and values may be alike; TOML's other three forms are not for keys, or not for all texts.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Options are texts, flags, numbers and lists of texts: JSON that TOML writes alike but for the quotes.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PlanFile;
    use super::*;
    use llmq_plugin_api::wire::{Slot, StatisticsOrigin, decode};
    use proptest::prelude::*;

    fn model() -> ModelDescription {
        let json = serde_json::json!({"v": 1, "name": "m \"x\"\n", "architecture": "A", "family": "f", "config": {},
            "dtype": "F32", "units": [], "tensors": [], "hyperparameters": {"layers": 1, "hidden_size": 1,
            "intermediate_size": 1, "vocab_size": 1, "context_length": 1, "norm_eps": 1.0, "norm": "rms",
            "activation": "silu", "tied_embeddings": false, "attention": {"heads": 1, "kv_heads": 1, "head_dim": 1,
            "head_dim_stated": false}}});
        decode("model", &json.to_string()).unwrap()
    }

    #[test]
    fn every_text_is_a_basic_string() {
        let shown = [("a", "\"a\""), ("it's \"a\"", "\"it's \\\"a\\\"\""), ("\\\n\u{7f}", "\"\\\\\\u000A\\u007F\"")];
        for (text, expected) in shown {
            assert_eq!(quoted(text), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            names in prop::collection::btree_set(".{1,12}", 0..6), word in ".{0,12}", number in -1000i64..1000,
            float in -1e9f64..1e9, shape in prop::collection::vec(0u64..1 << 40, 0..4), choosable: bool, note in ".{0,9}",
            files in prop::option::of(prop::collection::vec(".{1,9}", 1..3)),
        ) {
            let slot = |name: &String| Slot {
                name: name.clone(), unit: 0, sources: vec![], encoding: word.clone(), shape: shape.clone(), file: 0,
                offset: 0, bytes: 0, note: note.clone(), choosable,
            };
            let plan = Plan { slots: names.iter().map(slot).collect(), ..Plan::default() };
            let options = serde_json::json!({"a": word, "b": [word, "x"], "c": number, "d": float, "e": choosable});
            let request = Request {
                format: "f".into(), level: word.clone(), stem: String::new(),
                options: options.as_object().unwrap().clone(), device: "cpu".into(), statistics: vec![],
                encodings: Default::default(), creator: String::new(),
                later_layers_see: Default::default(),
                statistics_origin: files.clone().map(|files| StatisticsOrigin { files, entries: 3, ..Default::default() }),
            };
            let read = PlanFile::parse(&write(&request, &plan, &model(), "c0"), "p").unwrap();
            prop_assert_eq!(read.importance.map(|importance| importance.files), files);
            prop_assert_eq!(Value::Object(read.options), options);
            prop_assert_eq!(&read.level, &word);
            prop_assert_eq!(read.model.content.as_deref(), Some("c0"));
            prop_assert_eq!(&read.model.name, "m \"x\"\n");
            prop_assert_eq!(read.tensors.len(), names.len());
            for name in &names {
                let line = &read.tensors[name];
                prop_assert_eq!((&line.encoding, &line.shape), (&word, &shape));
            }
        }
    }
}
