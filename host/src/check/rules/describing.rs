//! What a backend says of itself must be usable and the same every time.

use super::super::report::Rule;
use super::{Grade, Judge, keep};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{self, Descriptor, FormatDescriptor, Manifest, OptionKind, OptionSpec};
use serde_json::Value;
use std::collections::BTreeSet;

pub const IDS: Rule = Rule {
    id: "describe.ids",
    sentence: "formats and levels have unique ids, levels a positive size, a bound and known statistics",
};
pub const MANIFEST: Rule =
    Rule { id: "describe.manifest", sentence: "the code states the id, version and formats of the manifest" };
pub const OPTIONS: Rule = Rule {
    id: "describe.options",
    sentence: "options have unique names, defaults and settings that fit their own limits",
};
pub const CONSTANT: Rule = Rule { id: "describe.constant", sentence: "the self-description round-trips as a document" };

pub fn judge(judge: &mut Judge, backend: &Backend, manifest: Option<&Manifest>) {
    let descriptor = backend.descriptor();
    judge.hold(IDS, &descriptor.id, || ids(descriptor));
    judge.hold(MANIFEST, &descriptor.id, || match manifest {
        None => Ok(Grade::NotTried("the backend does not come from a plugin file".into())),
        Some(manifest) => agree(descriptor, manifest),
    });
    for format in &descriptor.formats {
        judge.hold(OPTIONS, &format.id, || options(format));
    }
    judge.hold(CONSTANT, &descriptor.id, || {
        let text = wire::encode(descriptor);
        let again: Descriptor = wire::decode("descriptor", &text).map_err(|e| e.to_string())?;
        keep(wire::encode(&again) == text, || "it reads back as something else; is a number not finite?".into())
    });
}

fn ids(descriptor: &Descriptor) -> Result<Grade, String> {
    if descriptor.formats.is_empty() {
        return Err("it describes no format".into());
    }
    let mut formats = BTreeSet::new();
    for format in &descriptor.formats {
        if !formats.insert(&format.id) {
            return Err(format!("the format `{}` is described twice", format.id));
        }
        if format.can_write && format.levels.is_empty() {
            return Err(format!("the format `{}` can be written but has no level", format.id));
        }
        let mut words = BTreeSet::new();
        for level in &format.levels {
            for word in std::iter::once(&level.id).chain(&level.aliases) {
                if word.is_empty() || word.contains(char::is_whitespace) || !words.insert(word.to_ascii_lowercase()) {
                    return Err(format!("`{word}` of level `{}` is no word, or is used twice", level.id));
                }
            }
            if !(level.bits_per_weight > 0.0 && level.bits_per_weight <= 64.0) {
                return Err(format!("level `{}` has {} bits per weight", level.id, level.bits_per_weight));
            }
            if !(0.0..2.0).contains(&level.max_relative_error) {
                return Err(format!("level `{}` has the error bound {}", level.id, level.max_relative_error));
            }
            let mut statistics = level.requires_statistics.iter().chain(&level.uses_statistics);
            if let Some(word) = statistics.find(|w| StatisticKind::from_word(w).is_none()) {
                return Err(format!("level `{}` wants the statistics `{word}`, which do not exist", level.id));
            }
        }
    }
    keep(descriptor.concurrent_units >= 1, || "it allows 0 units at a time".into())
}

fn agree(descriptor: &Descriptor, manifest: &Manifest) -> Result<Grade, String> {
    let formats: BTreeSet<&String> = descriptor.formats.iter().map(|f| &f.id).collect();
    let listed: BTreeSet<&String> = manifest.formats.iter().collect();
    if (&descriptor.id, &descriptor.version) != (&manifest.id, &manifest.version) {
        let (id, version) = (&descriptor.id, &descriptor.version);
        return Err(format!("the code is {id} {version}, the manifest says {} {}", manifest.id, manifest.version));
    }
    keep(formats == listed, || format!("the code has the formats {formats:?}, the manifest {listed:?}"))
}

fn options(format: &FormatDescriptor) -> Result<Grade, String> {
    if format.options.is_empty() {
        return Ok(Grade::NotTried("the format has no options".into()));
    }
    let mut names = BTreeSet::new();
    for option in &format.options {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if option.name.is_empty() || !option.name.bytes().all(letters) || !names.insert(&option.name) {
            return Err(format!("`{}` is not of a-z, 0-9 and _, or is used twice", option.name));
        }
        if !option.default.is_null() && !fits(option, &option.default) {
            return Err(format!("the default {} of `{}` does not fit {:?}", option.default, option.name, option.kind));
        }
    }
    for (name, value) in format.weights_alone.iter().flatten() {
        if !format.options.iter().any(|option| option.name == *name && fits(option, value)) {
            return Err(format!("`{name}` = {value} of the settings for weights alone fits no option"));
        }
    }
    Ok(Grade::Kept)
}

fn fits(option: &OptionSpec, value: &Value) -> bool {
    match (&option.kind, value) {
        (OptionKind::Text, Value::String(_)) | (OptionKind::Flag, Value::Bool(_)) => true,
        (OptionKind::Texts, Value::Array(texts)) => texts.iter().all(Value::is_string),
        (OptionKind::Integer { min, max }, value) => value.as_i64().is_some_and(|v| (min..=max).contains(&&v)),
        (OptionKind::Number { min, max }, value) => value.as_f64().is_some_and(|v| (min..=max).contains(&&v)),
        (OptionKind::Choice { values }, Value::String(word)) => values.contains(word),
        _ => false,
    }
}
