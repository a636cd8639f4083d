//! Files of a format as the source of a job of the same format: every tensor under its own name, in its own encoding.

use super::{Reading, fingerprint, is_plain, stem};
use crate::failure::{Class, Failure};
use crate::job::Weights;
use crate::model::{Dtype, Fingerprint, NonFinite, first_non_finite};
use llmq_plugin_api::wire::{
    Attention, Hyperparameters, ModelDescription, PlacedTensor, ReaderSummary, Role, TensorDescription,
    UnitDescription, UnitKind,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The source.
pub struct AsStored {
    reading: Reading,
    description: ModelDescription,
    notes: Vec<String>,
}

impl AsStored {
    /// Describes what a reader found. Fails if a tensor is not inside its file.
    pub fn new(reading: Reading, path: &Path) -> Result<AsStored, Failure> {
        let description = describe(reading.reader.summary(), stem(path));
        let source = AsStored { notes: reading.passed_over.clone(), reading, description };
        for (index, tensor) in source.placed().iter().enumerate() {
            if source.slice(index).is_none() {
                let message = format!("tensor `{}` is not inside {}", tensor.name, path.display());
                return Err(Failure::new(Class::General, message).suggest("The file is damaged; get another copy."));
            }
        }
        Ok(source)
    }

    fn placed(&self) -> &[PlacedTensor] {
        self.reading.reader.summary().stored.as_ref().map_or(&[], |view| &view.tensors)
    }

    fn slice(&self, tensor: usize) -> Option<&[u8]> {
        let placed = self.placed().get(tensor)?;
        let (start, length) = (usize::try_from(placed.offset).ok()?, usize::try_from(placed.bytes).ok()?);
        self.reading.files.get(placed.file as usize)?.bytes().get(start..start.checked_add(length)?)
    }

    fn hint(&self, unit: usize, one: impl Fn(&crate::model::MappedFile, &std::ops::Range<usize>)) {
        for (tensor, placed) in self.description.tensors.iter().zip(self.placed()) {
            if tensor.unit as usize == unit
                && let Some(file) = self.reading.files.get(placed.file as usize)
            {
                one(file, &(placed.offset as usize..(placed.offset + placed.bytes) as usize));
            }
        }
    }
}

impl Weights for AsStored {
    fn description(&self) -> &ModelDescription {
        &self.description
    }

    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        self.slice(tensor).ok_or_else(|| Failure::new(Class::General, format!("there is no tensor {tensor}")))
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        self.reading.rows(self.reading.reader.summary().tensors.len() + tensor, first_row, out)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.reading.sidecar(name)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        Ok(fingerprint::fingerprint(&self.reading))
    }

    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        let described = &self.description.tensors[tensor];
        let plain = [Dtype::F32, Dtype::F16, Dtype::BF16].into_iter().find(|dtype| dtype.as_str() == described.dtype);
        let Some(dtype) = plain else {
            return match is_plain(&described.dtype) {
                true => Ok(None),
                false => non_finite_rows(described, |row, out| self.read_rows(tensor, row, out)),
            };
        };
        let (bytes, columns) = (self.bytes(tensor)?, described.columns().max(1));
        let Some(position) = first_non_finite(dtype, bytes) else { return Ok(None) };
        let mut value = [0f32];
        dtype.widen(&bytes[position * dtype.size()..][..dtype.size()], &mut value);
        let position = position as u64;
        Ok(Some(NonFinite { row: position / columns, column: position % columns, value: value[0] }))
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn source_bytes(&self) -> u64 {
        self.placed().iter().map(|tensor| tensor.bytes).sum()
    }

    fn will_need(&self, unit: usize) {
        self.hint(unit, |file, range| file.will_need(range));
    }

    fn done_with(&self, unit: usize, forget: bool) {
        self.hint(unit, |file, range| file.done_with(range, forget));
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        self.reading.check_unchanged()
    }

    fn encoding(&self, tensor: usize) -> Option<&str> {
        let encoding = self.description.tensors.get(tensor)?.dtype.as_str();
        (!is_plain(encoding)).then_some(encoding)
    }

    fn stored_format(&self) -> Option<(&str, &str)> {
        Some(self.reading.format())
    }

    fn inputs(&self) -> Vec<PathBuf> {
        self.reading.paths()
    }
}

/// Weights that are decoded at a time.
const SLAB: u64 = 64 << 10;

/// The first decoded weight of a tensor that is not a finite number.
pub(super) fn non_finite_rows(
    tensor: &TensorDescription,
    read: impl Fn(u64, &mut [f32]) -> Result<(), Failure>,
) -> Result<Option<NonFinite>, Failure> {
    let (rows, columns) = (tensor.rows(), tensor.columns().max(1));
    let step = (SLAB / columns).max(1);
    let mut slab = vec![0f32; (step.min(rows) * columns) as usize];
    let mut row = 0;
    while row < rows {
        let part = &mut slab[..(step.min(rows - row) * columns) as usize];
        read(row, part)?;
        // Without a branch per weight; the place is looked for only where there is one.
        if !part.iter().fold(true, |sound, value| sound & value.is_finite()) {
            let at = part.iter().position(|value| !value.is_finite()).unwrap_or(0);
            let place = at as u64;
            return Ok(Some(NonFinite { row: row + place / columns, column: place % columns, value: part[at] }));
        }
        row += step;
    }
    Ok(None)
}

fn describe(summary: &ReaderSummary, name: String) -> ModelDescription {
    let view = summary.stored.clone().unwrap_or_default();
    // Layers as the tensors have them: a damaged count must not make a list of billions.
    let present: BTreeMap<u32, u32> = {
        let mut layers: Vec<u32> = view.tensors.iter().filter_map(|tensor| tensor.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        layers.into_iter().zip(1..).collect()
    };
    let mut units = vec![UnitDescription { id: "outside".into(), kind: UnitKind::Other, layer: None }];
    units.extend(present.keys().map(|layer| UnitDescription {
        id: format!("layer.{layer}"),
        kind: UnitKind::Layer,
        layer: Some(*layer),
    }));
    let tensor = |placed: &PlacedTensor| TensorDescription {
        name: placed.name.clone(),
        role: Role::Other(String::new()),
        part: String::new(),
        unit: placed.layer.and_then(|layer| present.get(&layer).copied()).unwrap_or(0),
        layer: placed.layer,
        expert: None,
        head: None,
        dtype: placed.encoding.clone(),
        shape: placed.shape.clone(),
    };
    let tensors: Vec<TensorDescription> = view.tensors.iter().map(tensor).collect();
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    view.tensors.iter().for_each(|tensor| *bytes.entry(&tensor.encoding).or_default() += tensor.bytes);
    let most = bytes.into_iter().rev().max_by_key(|(_, bytes)| *bytes).map_or("", |(encoding, _)| encoding).to_owned();
    let mut files = summary.sidecars.clone();
    files.push(view.rest);
    ModelDescription {
        name,
        architecture: view.architecture,
        family: String::new(),
        config: summary.config.clone(),
        generation_config: serde_json::Value::Null,
        hyperparameters: nothing_known(view.layers),
        dtype: most,
        units,
        tensors,
        files,
        smoothing: Vec::new(),
        stored_as: Some(summary.format.clone()),
    }
}

/// Nothing is known of the network but the number of its layers.
fn nothing_known(layers: u32) -> Hyperparameters {
    Hyperparameters {
        layers,
        hidden_size: 0,
        intermediate_size: 0,
        vocab_size: 0,
        context_length: 0,
        attention: Attention {
            heads: 0,
            kv_heads: 0,
            head_dim: 0,
            head_dim_stated: false,
            sliding_window: None,
            windows: Vec::new(),
        },
        rope: None,
        sliding_rope: None,
        norm_eps: 0.0,
        norm: String::new(),
        activation: String::new(),
        tied_embeddings: false,
        experts: None,
    }
}
