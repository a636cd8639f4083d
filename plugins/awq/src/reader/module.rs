//! One quantized module, its shape taken from the shapes of its tensors.

use crate::packed::WORD;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::reading::Located;

/// A quantized module.
#[derive(Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// Groups of inputs.
    pub groups: usize,
    /// Inputs of a group.
    pub group: usize,
    /// Codes.
    pub qweight: Located,
    /// Zeros; the middle code if there are none.
    pub qzeros: Option<Located>,
    /// Scales.
    pub scales: Located,
}

/// The tensors of a module as they were found.
pub struct Parts {
    /// Codes.
    pub qweight: Located,
    /// Zeros.
    pub qzeros: Option<Located>,
    /// Scales.
    pub scales: Located,
}

fn matrix(located: &Located, dtypes: &[Dtype]) -> Result<(usize, usize), Error> {
    let stored = &located.stored;
    let fault =
        |what: String| Error::new(Kind::CorruptInput, format!("`{}` {what}", stored.name)).subject(&stored.name);
    if !dtypes.contains(&stored.dtype) {
        return Err(fault(format!("has dtype {}, which does not occur in this format", stored.dtype.word())));
    }
    match stored.shape.as_slice() {
        // Both are below the length of a file that is mapped.
        &[rows, columns] if rows > 0 && columns > 0 => Ok((rows as usize, columns as usize)),
        other => Err(fault(format!("has shape {other:?}; a matrix is expected"))),
    }
}

impl Module {
    /// A module of these tensors; refused if their shapes do not fit each other.
    pub fn new(name: &str, parts: Parts, declared: Option<i64>) -> Result<Module, Error> {
        let (columns, words) = matrix(&parts.qweight, &[Dtype::I32])?;
        let (groups, rows) = matrix(&parts.scales, &[Dtype::F16, Dtype::Bf16, Dtype::F32])?;
        let zeros = parts.qzeros.as_ref().map(|qzeros| matrix(qzeros, &[Dtype::I32])).transpose()?;
        let fault = |what: String| Error::new(Kind::CorruptInput, format!("module `{name}`: {what}")).subject(name);
        if words.checked_mul(WORD) != Some(rows) || zeros.is_some_and(|zeros| zeros != (groups, words)) {
            return Err(fault(format!(
                "qweight {:?}, qzeros {:?} and scales {:?} do not fit each other",
                parts.qweight.stored.shape,
                parts.qzeros.as_ref().map_or(&[][..], |qzeros| &qzeros.stored.shape),
                parts.scales.stored.shape
            )));
        }
        if !columns.is_multiple_of(groups) {
            return Err(fault(format!("{columns} inputs are not {groups} groups of one size")));
        }
        let group = columns / groups;
        if let Some(declared) = declared.and_then(|group| usize::try_from(group).ok()).filter(|d| *d != group) {
            return Err(fault(format!("it has groups of {group}, and {declared} are declared")));
        }
        let Parts { qweight, qzeros, scales } = parts;
        Ok(Module { name: name.into(), rows, columns, groups, group, qweight, qzeros, scales })
    }

    /// All tensors.
    pub fn located(&self) -> impl Iterator<Item = &Located> {
        [&self.qweight, &self.scales].into_iter().chain(&self.qzeros)
    }
}
