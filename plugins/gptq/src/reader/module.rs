//! One quantized module, its shape and bits taken from the shapes of its tensors.
//!
//! Per-module settings (`dynamic`) need no regular expressions here: zeros have as many words as bits and outputs ask for.

use crate::choices::Zeros;
use crate::dynamic::BITS;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_safetensors_folders::checkpoint::Dtype;
use llmq_safetensors_folders::reading::Located;

/// A quantized module.
#[derive(Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Bits of a code.
    pub bits: u32,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// Groups of inputs.
    pub groups: usize,
    /// Inputs of a group as declared, -1 for all.
    pub group: i64,
    /// How zeros are stored.
    pub zeros: Zeros,
    /// Codes.
    pub qweight: Located,
    /// Zeros.
    pub qzeros: Located,
    /// Scales.
    pub scales: Located,
    /// Group of each input. Old files leave it out where it is in order.
    pub g_idx: Option<Located>,
}

/// The tensors of a module as they were found.
pub struct Parts {
    /// Codes.
    pub qweight: Located,
    /// Zeros.
    pub qzeros: Located,
    /// Scales.
    pub scales: Located,
    /// Group of each input.
    pub g_idx: Option<Located>,
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
    pub fn new(name: &str, parts: Parts, zeros: Zeros, declared: Option<i64>) -> Result<Module, Error> {
        let (words, outputs) = matrix(&parts.qweight, &[Dtype::I32])?;
        let (groups, rows) = matrix(&parts.scales, &[Dtype::F16, Dtype::Bf16, Dtype::F32])?;
        let (zero_groups, zero_words) = matrix(&parts.qzeros, &[Dtype::I32])?;
        let fault = |what: String| Error::new(Kind::CorruptInput, format!("module `{name}`: {what}")).subject(name);
        if outputs != rows || zero_groups != groups {
            return Err(fault(format!(
                "qweight {:?}, qzeros {:?} and scales {:?} do not fit each other",
                parts.qweight.stored.shape, parts.qzeros.stored.shape, parts.scales.stored.shape
            )));
        }
        let bits = BITS.into_iter().find(|bits| zero_words.checked_mul(32) == rows.checked_mul(*bits as usize));
        let bits = bits.ok_or_else(|| fault(format!("{zero_words} words of zeros for {rows} outputs fit no width")))?;
        let columns = words.checked_mul(32).filter(|count| count.is_multiple_of(bits as usize));
        let columns =
            columns.ok_or_else(|| fault(format!("{words} words hold no whole number of {bits}-bit codes")))?;
        let columns = columns / bits as usize;
        if let Some(g_idx) = &parts.g_idx
            && (g_idx.stored.dtype != Dtype::I32 || g_idx.stored.shape != [columns as u64])
        {
            let (word, shape) = (g_idx.stored.dtype.word(), &g_idx.stored.shape);
            return Err(fault(format!("g_idx is {word} {shape:?}; {columns} inputs need I32 [{columns}]")));
        }
        let length = |group: i64| usize::try_from(group).unwrap_or(columns).max(1);
        let group = declared.filter(|group| columns.div_ceil(length(*group)) == groups);
        if group.is_none() && parts.g_idx.is_none() && !columns.is_multiple_of(groups) {
            return Err(fault(format!("{columns} inputs have {groups} groups, and no g_idx says which is whose")));
        }
        let group = group.unwrap_or(if groups == 1 { -1 } else { columns.div_ceil(groups) as i64 });
        let Parts { qweight, qzeros, scales, g_idx } = parts;
        Ok(Module { name: name.into(), bits, rows, columns, groups, group, zeros, qweight, qzeros, scales, g_idx })
    }

    /// All tensors.
    pub fn located(&self) -> impl Iterator<Item = &Located> {
        [&self.qweight, &self.qzeros, &self.scales].into_iter().chain(&self.g_idx)
    }

    /// The group of each input, each below the number of groups.
    pub fn assigned(&self, files: &[MappedFile]) -> Result<Vec<u32>, Error> {
        let Some(g_idx) = &self.g_idx else {
            let length = usize::try_from(self.group).unwrap_or(self.columns).max(1);
            return Ok((0..self.columns).map(|column| (column / length) as u32).collect());
        };
        let bytes = g_idx.bytes(files)?.as_chunks::<4>().0;
        let assigned: Vec<u32> = bytes.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        match assigned.iter().position(|group| *group as usize >= self.groups) {
            None => Ok(assigned),
            Some(at) => {
                let (name, group, groups) = (&g_idx.stored.name, assigned[at] as i32, self.groups);
                let message = format!("`{name}` puts input {at} into group {group}; there are {groups} groups");
                Err(Error::new(Kind::CorruptInput, message).subject(name))
            }
        }
    }
}
