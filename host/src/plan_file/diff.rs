//! Two plans beside each other: what changes, in types and in bytes.

use super::document::{PlanFile, PlanImportance};
use llmq_plugin_api::wire::FormatDescriptor;
use serde::Serialize;
use std::collections::BTreeSet;

/// The difference of two plan files.
#[derive(Debug, Clone, Serialize)]
pub struct PlanDiff {
    /// Always `compared`.
    pub status: &'static str,
    /// Whether nothing differs.
    pub equal: bool,
    /// Sentences on format, level, model and options.
    pub differences: Vec<String>,
    /// Tensors that differ, by name.
    pub tensors: Vec<Change>,
    /// Bytes of all tensors in the first plan; absent if a type's size is not known.
    pub bytes_before: Option<u64>,
    /// Bytes of all tensors in the second plan.
    pub bytes_after: Option<u64>,
}

/// One tensor that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Output name.
    pub name: String,
    /// In the first plan; absent if it has no such tensor.
    pub before: Option<Side>,
    /// In the second plan.
    pub after: Option<Side>,
}

/// A tensor in one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Encoding.
    pub encoding: String,
    /// Row-major shape.
    pub shape: Vec<u64>,
    /// Stored bytes, if the type's size is known.
    pub bytes: Option<u64>,
}

impl PlanDiff {
    /// Compares two files; the formats say how large types are.
    pub fn new(before: (&PlanFile, &FormatDescriptor), after: (&PlanFile, &FormatDescriptor)) -> PlanDiff {
        let (a, b) = (before.0, after.0);
        let mut differences = Vec::new();
        let mut compare = |what: &str, was: &str, is: &str| {
            if was != is {
                differences.push(format!("{what} was {was} and is {is}"));
            }
        };
        compare("the format", &a.format, &b.format);
        compare("the level", &a.level, &b.level);
        compare("the model", &a.model.name, &b.model.name);
        compare("the architecture", &a.model.architecture, &b.model.architecture);
        let content = |file: &PlanFile| file.model.content.clone().unwrap_or_else(|| "any".to_owned());
        compare("the model's content", &content(a), &content(b));
        let importance = |file: &PlanFile| {
            let files = |importance: &PlanImportance| importance.files.join(", ");
            file.importance.as_ref().map_or_else(|| "none".to_owned(), files)
        };
        compare("importance", &importance(a), &importance(b));
        let options: BTreeSet<&String> = a.options.keys().chain(b.options.keys()).collect();
        for name in options {
            let value = |file: &PlanFile| file.options.get(name).map_or("not given".to_owned(), |v| v.to_string());
            compare(&format!("--{}", name.replace('_', "-")), &value(a), &value(b));
        }
        let names: BTreeSet<&String> = a.tensors.keys().chain(b.tensors.keys()).collect();
        let change =
            |name: &&String| Change { name: (*name).clone(), before: side(before, name), after: side(after, name) };
        let tensors: Vec<Change> = names.iter().map(change).filter(|change| change.before != change.after).collect();
        PlanDiff {
            status: "compared",
            equal: differences.is_empty() && tensors.is_empty(),
            differences,
            tensors,
            bytes_before: total(before),
            bytes_after: total(after),
        }
    }
}

fn side((file, format): (&PlanFile, &FormatDescriptor), name: &str) -> Option<Side> {
    let planned = file.tensors.get(name)?;
    let known = format.encoding(&planned.encoding);
    let encoding = known.map_or_else(|| planned.encoding.clone(), |known| known.id.clone());
    let bytes = known.and_then(|known| known.bytes(&planned.shape));
    Some(Side { encoding, shape: planned.shape.clone(), bytes })
}

fn total((file, format): (&PlanFile, &FormatDescriptor)) -> Option<u64> {
    let one = |planned: &super::PlannedType| format.encoding(&planned.encoding)?.bytes(&planned.shape);
    file.tensors.values().try_fold(0u64, |sum, planned| sum.checked_add(one(planned)?))
}
