//! What a check says: one verdict per rule and case.

use serde::{Deserialize, Serialize};

/// A promise that every backend must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable id, `topic.name`.
    pub id: &'static str,
    /// The promise.
    pub sentence: &'static str,
}

/// The result of one rule on one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Id of the rule.
    pub rule: String,
    /// The promise.
    pub sentence: String,
    /// What it was tried on: the plugin, a format, a format with a level and a specimen.
    pub case: String,
    /// The result.
    pub outcome: Outcome,
    /// Why it failed or was skipped; a figure if there is one worth telling; possibly empty.
    pub reason: String,
}

/// The result of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The promise was kept.
    Pass,
    /// It was not.
    Fail,
    /// It does not apply, or could not be tried.
    Skip,
}

/// All verdicts on one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Plugin id; empty if the plugin did not come far enough to tell.
    pub plugin: String,
    /// Plugin version.
    pub version: String,
    /// In the order in which they were tried.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// Verdicts of one kind.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.verdicts.iter().filter(|v| v.outcome == outcome).count()
    }

    /// Whether every promise that could be tried was kept, and at least one was.
    pub fn passed(&self) -> bool {
        self.count(Outcome::Fail) == 0 && self.count(Outcome::Pass) > 0
    }

    /// Verdicts that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|v| v.outcome == Outcome::Fail)
    }
}
