//! The complete answer to "what will be written": every file, every literal byte range, every tensor slot.

use serde::{Deserialize, Serialize};

/// A session's plan. Bytes that neither a literal nor a slot covers are zero.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Files, with exact lengths. Names are relative, without `..`, separators only for folder containers.
    pub files: Vec<OutputFile>,
    /// Byte ranges that are known before any weight is read (headers, metadata, JSON files). Their contents are asked
    /// for with [`crate::sdk::Session::literal`].
    pub literals: Vec<LiteralSpan>,
    /// Where every tensor goes. The position in this list is the slot's number.
    pub slots: Vec<Slot>,
    /// Units that need statistics or much memory; a unit without an entry needs neither.
    #[serde(default)]
    pub units: Vec<UnitNeed>,
    /// Source tensors that are deliberately not written, with the reason.
    #[serde(default)]
    pub dropped: Vec<(String, String)>,
    /// Sentences for the user.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Sentences for the verbose user, for example how the pre-tokenizer was found.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The session itself refuses every weight that it writes and that is no finite number, with
    /// [`crate::sdk::Kind::CorruptInput`] and the weight's place; the host then spares a pass over all weights. Without it
    /// the host looks before it hands a unit in. `plugins check` holds a plan to this promise.
    #[serde(default)]
    pub refuses_non_finite: bool,
    /// The host asks [`crate::sdk::Session::fold`] about every unit that has smoothing groups, folds what it says, and hands
    /// the folded unit in. Since 1.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub folds: bool,
    /// A unit may come in parts: [`crate::sdk::Session::quantize`] is then called several times for it, each time with some
    /// of its tensors and their statistics, every tensor once, and writes the slots of those tensors. The bytes are those
    /// of the unit handed in as a whole with the same statistics; `plugins check` tries it. Without it no job works stage by
    /// stage ([`super::SeenByLaterLayers::QuantizedByStage`]). Not for plans that fold. Since 1.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_parts: bool,
}

/// One file of the output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputFile {
    /// Relative name.
    pub name: String,
    /// Exact length in bytes.
    pub bytes: u64,
}

/// A range whose bytes are known at planning time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiteralSpan {
    /// Index into [`Plan::files`].
    pub file: u32,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// The place of one output tensor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slot {
    /// Name in the output format.
    pub name: String,
    /// Unit during which it is written.
    pub unit: u32,
    /// Indices of the source tensors it is made of; empty for derived tensors.
    pub sources: Vec<u32>,
    /// Encoding as the format calls it, for example `Q4_K`.
    pub encoding: String,
    /// Row-major shape in weights.
    pub shape: Vec<u64>,
    /// Index into [`Plan::files`].
    pub file: u32,
    /// First byte in that file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Why the encoding differs from what the level would give, if it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether [`super::Request::encodings`] may choose the encoding. False for what the format never quantizes and for
    /// what an option of the format decides.
    #[serde(default)]
    pub choosable: bool,
}

/// What one unit needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitNeed {
    /// Unit index.
    pub unit: u32,
    /// Memory beyond the views, in bytes, per worker thread.
    #[serde(default)]
    pub scratch_bytes_per_thread: u64,
    /// Memory beyond the views, in bytes, once.
    #[serde(default)]
    pub scratch_bytes: u64,
    /// Device memory in bytes.
    #[serde(default)]
    pub device_bytes: u64,
    /// Statistics that must be handed in with the unit.
    #[serde(default)]
    pub statistics: Vec<StatisticsNeed>,
    /// Not read: the host knows from what the model computes which tensors are fixed together ([`Plan::takes_parts`]).
    #[serde(default)]
    pub stages: Vec<Vec<u32>>,
}

/// Statistics one tensor needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatisticsNeed {
    /// Tensor index.
    pub tensor: u32,
    /// Words of [`crate::sdk::StatisticKind`].
    pub kinds: Vec<String>,
}

/// Why a plan is not sound. The host checks every plan before it touches the disk.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PlanFault {
    /// A file name that would leave the output folder or collide.
    #[error("the plan's file name `{0}` is not a plain relative name, or appears twice")]
    FileName(String),
    /// A span outside its file, or in a file that does not exist.
    #[error("{what} covers bytes {offset}..{end} of file {file}, which has {length} bytes")]
    Outside {
        /// Which literal or slot.
        what: String,
        /// File index.
        file: u32,
        /// First byte.
        offset: u64,
        /// One past the last byte.
        end: u64,
        /// Length of the file.
        length: u64,
    },
    /// Two spans share bytes.
    #[error("{first} and {second} overlap in file {file}")]
    Overlap {
        /// The earlier span.
        first: String,
        /// The later span.
        second: String,
        /// File index.
        file: u32,
    },
    /// A unit or tensor number that the model does not have.
    #[error("slot `{slot}` names {what} {number}, the model has {count}")]
    Index {
        /// Slot name.
        slot: String,
        /// `unit` or `tensor`.
        what: &'static str,
        /// The number.
        number: u32,
        /// How many there are.
        count: usize,
    },
}

impl Plan {
    /// Sum of all file lengths.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).fold(0, u64::saturating_add)
    }

    /// Checks names, bounds, overlaps and indices against a model of `units` units and `tensors` tensors.
    pub fn check(&self, units: usize, tensors: usize) -> Result<(), PlanFault> {
        self.check_names()?;
        let mut spans = Vec::with_capacity(self.literals.len() + self.slots.len());
        for (i, l) in self.literals.iter().enumerate() {
            spans.push((l.file, l.offset, l.bytes, format!("literal {i}")));
        }
        for slot in &self.slots {
            self.check_indices(slot, units, tensors)?;
            spans.push((slot.file, slot.offset, slot.bytes, format!("slot `{}`", slot.name)));
        }
        spans.sort_by_key(|s| (s.0, s.1, s.2));
        for (file, offset, bytes, what) in &spans {
            let length = self.files.get(*file as usize).map_or(0, |f| f.bytes);
            let end = offset.saturating_add(*bytes);
            if *file as usize >= self.files.len() || end > length {
                return Err(PlanFault::Outside { what: what.clone(), file: *file, offset: *offset, end, length });
            }
        }
        for pair in spans.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            if first.0 == second.0 && first.1 + first.2 > second.1 {
                return Err(PlanFault::Overlap { first: first.3.clone(), second: second.3.clone(), file: first.0 });
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), PlanFault> {
        let mut seen = std::collections::BTreeSet::new();
        for file in &self.files {
            let plain = !file.name.is_empty()
                && !file.name.contains(['\\', ':', '\0'])
                && file.name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
            if !plain || !seen.insert(&file.name) {
                return Err(PlanFault::FileName(file.name.clone()));
            }
        }
        Ok(())
    }

    fn check_indices(&self, slot: &Slot, units: usize, tensors: usize) -> Result<(), PlanFault> {
        let fault = |what, number, count| PlanFault::Index { slot: slot.name.clone(), what, number, count };
        if slot.unit as usize >= units {
            return Err(fault("unit", slot.unit, units));
        }
        match slot.sources.iter().find(|s| **s as usize >= tensors) {
            Some(source) => Err(fault("tensor", *source, tensors)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, spans: &[(u64, u64)]) -> Plan {
        let slot = |(i, (offset, bytes)): (usize, &(u64, u64))| Slot {
            name: format!("t{i}"),
            unit: 0,
            sources: vec![0],
            encoding: "F32".into(),
            shape: vec![1],
            file: 0,
            offset: *offset,
            bytes: *bytes,
            note: String::new(),
            choosable: false,
        };
        Plan {
            files: vec![OutputFile { name: name.into(), bytes: 100 }],
            slots: spans.iter().enumerate().map(slot).collect(),
            ..Plan::default()
        }
    }

    #[test]
    fn a_sound_plan_passes() {
        assert_eq!(plan("a.gguf", &[(32, 10), (0, 32), (64, 36)]).check(1, 1), Ok(()));
    }

    #[test]
    fn bounds_overlaps_names_and_indices_are_refused() {
        assert!(matches!(plan("a", &[(90, 11)]).check(1, 1), Err(PlanFault::Outside { end: 101, .. })));
        assert!(matches!(plan("a", &[(u64::MAX, 2)]).check(1, 1), Err(PlanFault::Outside { .. })));
        assert!(matches!(plan("a", &[(0, 33), (32, 1)]).check(1, 1), Err(PlanFault::Overlap { .. })));
        for bad in ["", "../a", "a/../b", "/etc/passwd", "a//b", "c:\\x"] {
            assert!(matches!(plan(bad, &[]).check(1, 1), Err(PlanFault::FileName(_))), "{bad}");
        }
        assert!(matches!(plan("a", &[(0, 1)]).check(0, 1), Err(PlanFault::Index { what: "unit", .. })));
        assert!(matches!(plan("a", &[(0, 1)]).check(1, 0), Err(PlanFault::Index { what: "tensor", .. })));
    }
}
