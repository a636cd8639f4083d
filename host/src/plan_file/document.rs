//! The document itself, and how it is read: every problem with its line.

use crate::failure::{Class, Failure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toml::Spanned;

/// Longest plan file accepted, in bytes. A line has about 80, the largest models 100,000 tensors.
pub const MAX_PLAN_FILE: u64 = 64 << 20;
/// The only version of the document.
pub(super) const VERSION: u32 = 1;

/// A plan file as read.
#[derive(Debug, Clone)]
pub struct PlanFile {
    /// Where it was read from, for messages.
    pub place: String,
    /// Format id.
    pub format: String,
    /// Level id.
    pub level: String,
    /// The model it was made from.
    pub model: PlanModel,
    /// The importance weights it was made with.
    pub importance: Option<PlanImportance>,
    /// Options of the format.
    pub options: Map<String, Value>,
    /// Types by output name.
    pub tensors: BTreeMap<String, PlannedType>,
    /// Line of the list of tensors, from 1.
    pub tensors_line: usize,
}

/// The model that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanModel {
    /// Its name, for people.
    pub name: String,
    /// Class name.
    pub architecture: String,
    /// Fingerprint of its contents. Without it the plan is for every model with such tensors.
    #[serde(default)]
    pub content: Option<String>,
}

/// The importance weights that a plan was made with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanImportance {
    /// File names without their folders.
    pub files: Vec<String>,
    /// Entries in the files.
    pub entries: u64,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedType {
    /// Name of the encoding, in the file's spelling.
    pub encoding: String,
    /// Row-major shape.
    pub shape: Vec<u64>,
    /// Line in the file, from 1.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    plan: Spanned<u32>,
    format: String,
    level: String,
    model: PlanModel,
    #[serde(default)]
    importance: Option<PlanImportance>,
    #[serde(default)]
    options: BTreeMap<String, toml::Value>,
    tensors: Spanned<BTreeMap<Spanned<String>, RawType>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawType {
    r#type: String,
    shape: Vec<u64>,
}

impl PlanFile {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<PlanFile, Failure> {
        let place = path.display().to_string();
        let refuse = |problem: String| {
            Failure::new(Class::InvalidArguments, format!("The plan file `{place}` {problem}"))
                .suggest("--save-plan writes a fresh one")
        };
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_PLAN_FILE + 1).read_to_string(&mut text));
        read.map_err(|error| refuse(format!("cannot be read: {error}")))?;
        if text.len() as u64 > MAX_PLAN_FILE {
            return Err(refuse(format!("is longer than {MAX_PLAN_FILE} bytes")));
        }
        PlanFile::parse(&text, &place).map_err(|problem| refuse(format!("is not usable: {problem}")))
    }

    /// Reads a text, or says what is wrong with it and where.
    pub fn parse(text: &str, place: &str) -> Result<PlanFile, String> {
        let lines = Lines::new(text);
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or_else(String::new, |span| format!("line {}: ", lines.at(span.start)));
            format!("{line}{}", error.message().replace('\n', ", "))
        })?;
        if *raw.plan.get_ref() != VERSION {
            let (line, found) = (lines.at(raw.plan.span().start), raw.plan.get_ref());
            return Err(format!("line {line}: it has version {found}, this program reads version {VERSION}"));
        }
        let mut options = Map::new();
        for (name, value) in raw.options {
            let value = serde_json::to_value(&value).map_err(|error| format!("the option `{name}`: {error}"))?;
            options.insert(name, value);
        }
        let tensors_line = lines.at(raw.tensors.span().start);
        let tensors = raw.tensors.into_inner().into_iter().map(|(name, tensor)| {
            let line = lines.at(name.span().start);
            (name.into_inner(), PlannedType { encoding: tensor.r#type, shape: tensor.shape, line })
        });
        Ok(PlanFile {
            place: place.to_owned(),
            format: raw.format,
            level: raw.level,
            model: raw.model,
            importance: raw.importance,
            options,
            tensors: tensors.collect(),
            tensors_line,
        })
    }

    /// The same plan for every model with such tensors.
    pub fn for_any_model(&self) -> PlanFile {
        let mut plan = self.clone();
        plan.model.content = None;
        plan
    }

    /// A place in the file, for messages.
    pub(super) fn line(&self, line: usize) -> String {
        format!("{}, line {line}", self.place)
    }
}

/// Line numbers of byte positions.
struct Lines {
    /// Positions of line ends.
    ends: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Lines {
        Lines { ends: text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect() }
    }

    /// The line of a position, from 1.
    fn at(&self, position: usize) -> usize {
        self.ends.partition_point(|end| *end < position) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "plan = 1\nformat = \"f\"\nlevel = \"L\"\n[model]\nname = \"m\"\narchitecture = \"A\"\n[options]\na = \
                        \"x\"\nb = [\"y\", \"z\"]\nc = 1.0\n[tensors]\n\"t.0\" = { type = \"Q\", shape = [2, 3] }\n\"t.1\" = { \
                        type = \"P\", shape = [] }\n";

    #[test]
    fn a_plan_is_read_with_its_lines() {
        let plan = PlanFile::parse(GOOD, "p").unwrap();
        assert_eq!((plan.format.as_str(), plan.level.as_str(), plan.model.content.as_deref()), ("f", "L", None));
        assert_eq!(Value::Object(plan.options), serde_json::json!({"a": "x", "b": ["y", "z"], "c": 1.0}));
        assert_eq!(plan.tensors["t.0"], PlannedType { encoding: "Q".into(), shape: vec![2, 3], line: 12 });
        assert_eq!((plan.tensors["t.1"].line, plan.tensors_line), (13, 11));
    }

    #[test]
    fn what_is_no_plan_is_refused_with_its_line() {
        for (from, to, words) in [
            ("plan = 1", "plan = 2", "line 1: it has version 2"),
            ("level = \"L\"\n", "", "missing field `level`"),
            ("level = \"L\"", "level = L", "line 3: "),
            ("level", "levle", "line 3: unknown field `levle`"),
            ("type = \"P\"", "typ = \"P\"", "line 13: unknown field `typ`"),
            ("[2, 3]", "[-2, 3]", "line 12: "),
            ("\"t.1\"", "\"t.0\"", "line 13: duplicate key"),
            ("name = \"m\"\n", "", "missing field `name`"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let message = PlanFile::parse(&GOOD.replacen(from, to, 1), "p").unwrap_err();
            assert!(message.contains(words), "{to}: {message}");
        }
        let missing = PlanFile::open(Path::new("/nowhere/plan.toml")).unwrap_err();
        assert!(missing.message.contains("cannot be read"), "{}", missing.message);
    }

    proptest! {
        #[test]
        fn any_edit_is_read_or_refused(at in 0..GOOD.len(), cut in 0usize..8, put in ".{0,6}") {
            let text = format!("{}{put}{}", &GOOD[..at], &GOOD[(at + cut).min(GOOD.len())..]);
            let _ = PlanFile::parse(&text, "p");
        }
    }
}
