//! What a backend tells after work: one report per unit, one per validated file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Result of quantizing one unit. Free-form numbers land in the job's JSON report under the unit's id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UnitReport {
    /// Sentences for the user.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Named figures, for example a loss per tensor.
    ///
    /// Figures of single modules are objects under the module's name; the host makes a table of them. Where they mean the
    /// same, they are called what GPTQModel calls them: `loss`, `samples`, `damp`, `time` (seconds).
    #[serde(default)]
    pub figures: Map<String, Value>,
    /// What was done in a simpler way than the level promises. Tell it with [`UnitReport::fall_back`].
    #[serde(default)]
    pub fallbacks: Vec<Fallback>,
}

impl UnitReport {
    /// Says that a module or tensor was done in a simpler way, and warns of it.
    pub fn fall_back(&mut self, name: &str, way: &str, reason: &str) {
        self.warnings.push(format!("{name} {way}: {reason}"));
        self.fallbacks.push(Fallback { name: name.to_owned(), reason: reason.to_owned() });
    }
}

/// Something that was done in a simpler way than its level promises. A user may want the job to fail for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// The module or tensor.
    pub name: String,
    /// Why, as the end of a sentence.
    pub reason: String,
}

/// Result of a structural check of files in the backend's own format.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ValidationReport {
    /// Everything found; no finding of [`Severity::Error`] = valid.
    pub findings: Vec<Finding>,
}

impl ValidationReport {
    /// Whether no error was found.
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|f| f.severity != Severity::Error)
    }
}

/// One observation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it concerns: a tensor, a key, a byte range.
    pub subject: String,
    /// The sentence.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file must not be used.
    Error,
    /// The file works, something is odd.
    Warning,
    /// A fact worth knowing.
    #[serde(other)]
    Info,
}
