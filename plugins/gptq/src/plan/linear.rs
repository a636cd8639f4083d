//! One matrix that is quantized.

use crate::choices::Settings;

/// A linear layer's matrix with its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Index of the source tensor.
    pub tensor: usize,
    /// Name of the source tensor.
    pub name: String,
    /// Name of the module: that of the tensor without `.weight`.
    pub module: String,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// Whether the source stores it as `[inputs, outputs]`.
    pub turned: bool,
    /// Bits, group, symmetry.
    pub settings: Settings,
    /// Inputs that share a scale; all, if the settings say -1 or more than there are.
    pub group: usize,
    /// Groups of a row; the last may be short.
    pub groups: usize,
}

impl Linear {
    /// A matrix of so many outputs and inputs.
    pub fn new(tensor: usize, name: &str, rows: usize, columns: usize, settings: Settings) -> Linear {
        let group = settings.group_of(columns);
        Linear {
            tensor,
            name: name.to_owned(),
            module: name.strip_suffix(".weight").unwrap_or(name).to_owned(),
            rows,
            columns,
            turned: false,
            settings,
            group,
            groups: columns.div_ceil(group.max(1)),
        }
    }

    /// The shape of the source.
    pub fn stored(&self) -> [u64; 2] {
        let [rows, columns] = [self.rows, self.columns].map(|count| count as u64);
        if self.turned { [columns, rows] } else { [rows, columns] }
    }

    /// Encoding as reports show it, for example `GPTQ-4bit-g128`.
    pub fn encoding(&self) -> String {
        encoding(self.settings.bits, self.settings.group)
    }
}

/// Encoding as reports show it.
pub fn encoding(bits: u32, group: i64) -> String {
    if group < 0 { format!("GPTQ-{bits}bit") } else { format!("GPTQ-{bits}bit-g{group}") }
}
