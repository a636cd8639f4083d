//! One matrix that is quantized.

use crate::levels::BITS;
use llmq_plugin_api::wire::Role;

/// A linear layer's matrix with its groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Index of the source tensor.
    pub tensor: usize,
    /// Name of the source tensor.
    pub name: String,
    /// Name of the module: that of the tensor without `.weight`.
    pub module: String,
    /// What it is.
    pub role: Role,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// Whether the source stores it as `[inputs, outputs]`.
    pub turned: bool,
    /// Inputs that share a scale as they were asked for, -1 for all.
    pub said: i64,
    /// Inputs that share a scale.
    pub group: usize,
    /// Groups of a row.
    pub groups: usize,
}

impl Linear {
    /// A matrix of so many outputs and inputs.
    pub fn new(tensor: usize, name: &str, role: Role, rows: usize, columns: usize, said: i64) -> Linear {
        let group = usize::try_from(said).unwrap_or(columns).max(1);
        Linear {
            tensor,
            name: name.to_owned(),
            module: name.strip_suffix(".weight").unwrap_or(name).to_owned(),
            role,
            rows,
            columns,
            turned: false,
            said,
            group,
            groups: columns.div_ceil(group),
        }
    }

    /// The shape of the source.
    pub fn stored(&self) -> [u64; 2] {
        let [rows, columns] = [self.rows, self.columns].map(|count| count as u64);
        if self.turned { [columns, rows] } else { [rows, columns] }
    }

    /// Encoding as reports show it, for example `AWQ-4bit-g128`.
    pub fn encoding(&self) -> String {
        encoding(self.said)
    }
}

/// Encoding as reports show it.
pub fn encoding(group: i64) -> String {
    if group < 0 { format!("AWQ-{BITS}bit") } else { format!("AWQ-{BITS}bit-g{group}") }
}
