//! An opened model: its description, views of its weights, its side files.

use super::config::{
    AttentionWindows, Fields, class_and_family, read_attention_windows, read_hyperparameters, text_model_config,
};
use super::content::{Content, Form, same_rows};
use super::family::{Answers, Families, Family, FoundTensor, assign, own};
use super::fingerprint::fingerprint;
use super::folder::{GENERATION_CONFIG, parse, read_config, require_folder};
use super::name::model_name;
use super::quantized::{Scheme, scheme};
use super::sources::{Source, sources};
use super::tied_head::settle_tied_head;
use super::unstack::unstack;
use super::weight_files::{WeightFiles, open_weights};
use super::weight_names::Container;
use super::{Dtype, Fingerprint, MappedFile, ModelError, side_files};
use crate::network::smoothing;
use llmq_plugin_api::wire::{ModelDescription, TensorDescription};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A model folder, checked and ready to read. Weights stay in their files and are mapped.
#[derive(Debug)]
pub struct Model {
    folder: PathBuf,
    description: ModelDescription,
    family: Family,
    windows: AttentionWindows,
    files: Vec<MappedFile>,
    container: Container,
    /// Where each described tensor lies and how it is read.
    contents: Vec<Content>,
    notes: Vec<String>,
}

/// A view of one tensor's stored bytes.
#[derive(Debug, Clone, Copy)]
pub struct TensorData<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// Row-major shape.
    pub shape: &'a [u64],
    /// Little-endian elements, inside the mapped file, at any alignment; empty where rows must be computed.
    pub bytes: &'a [u8],
}

/// A weight that is no finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonFinite {
    /// Row, counting all dimensions but the last together.
    pub row: u64,
    /// Column.
    pub column: u64,
    /// NaN or an infinity, as f32.
    pub value: f32,
}

impl Model {
    /// Opens a folder with config.json and weights, checks everything but the weights' values, and maps the files.
    /// Reads headers and small files only.
    pub fn open(path: &Path) -> Result<Model, ModelError> {
        require_folder(path)?;
        let config = read_config(path)?;
        let text = text_model_config(&config)?;
        let scheme = scheme(&text)?;
        let (architecture, family) = class_and_family(&text, Families { own: own()? })?;
        let fields = Fields::new(&text, family);
        let mut hyperparameters = read_hyperparameters(&fields)?;
        let windows = read_attention_windows(&fields, hyperparameters.layers)?;

        let WeightFiles { files, container, tensors, mut notes } = open_weights(path)?;
        let (architecture, family_id) = family.for_backends(architecture, &mut notes);
        let stored = unstack(family, tensors, &mut notes);
        let sources = sources(scheme, &files, &stored, &mut notes)?;
        let found: Vec<FoundTensor<'_>> = sources
            .iter()
            .map(|t| FoundTensor { name: &t.name, stored_dtype: t.dtype, shape: &t.shape, file: files[t.file].name() })
            .collect();
        let mut assignment = {
            let (switch, count) = (|key: &str| fields.switch(key), |key: &str| fields.count(key, 0..=1 << 24));
            let count_if_any = |key: &str| fields.count_if_any(key, 0..=1 << 24);
            let answers = Answers { switch: &switch, count: &count, count_if_any: &count_if_any };
            assign(family, &hyperparameters, answers, &found)?
        };
        let content = |(tensor, position): &(TensorDescription, usize)| {
            let source = &sources[*position];
            let content = source.content.clone().ok_or_else(|| dtype_error(source, &files))?;
            if scheme == Scheme::TernaryMasters { content.rounded(tensor) } else { Ok(content) }
        };
        if let Some((embedding, head)) = assignment.stored_tied_head {
            let [a, b] = [embedding, head].map(|at| &assignment.tensors[at]);
            let copy = same_rows(&files, &a.0.shape, [&content(a)?, &content(b)?]);
            hyperparameters.tied_embeddings = settle_tied_head(&mut assignment, head, copy, &mut notes);
        }
        notes.append(&mut assignment.notes);

        let side_files = side_files::present(path);
        let generation_config = match side_files.iter().find(|name| *name == GENERATION_CONFIG) {
            Some(name) => parse(name, &side_files::read(path, &side_files, name)?)?,
            None => Value::Null,
        };
        let contents = assignment.tensors.iter().map(content).collect::<Result<Vec<_>, _>>()?;
        let tensors = assignment.tensors.into_iter().map(|(tensor, _)| tensor).collect();
        let mut description = ModelDescription {
            name: model_name(path),
            architecture,
            family: family_id,
            config: scheme.settled(config),
            generation_config,
            hyperparameters,
            dtype: String::new(),
            units: assignment.units,
            tensors,
            files: side_files,
            smoothing: Vec::new(),
            stored_as: None,
        };
        let usual = description.tensors.iter().map(|tensor| (tensor.dtype.as_str(), tensor));
        description.dtype = usual_dtype(usual);
        description.smoothing = smoothing(&description);
        let family = family.clone();
        Ok(Model { folder: path.to_owned(), description, family, windows, files, container, contents, notes })
    }

    /// Everything about the model but its numbers.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The family description that matched.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The folder, as it was given.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sliding window of every layer, `None` for full attention.
    pub fn attention_windows(&self) -> &[Option<u32>] {
        &self.windows
    }

    /// Sentences for the user about what was noticed and left behind.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The mapped weight files, in the order of their names.
    pub fn weight_files(&self) -> &[MappedFile] {
        &self.files
    }

    /// Length of a weight file's description of its tensors that lies at its start, if its format says it there.
    pub(super) fn header_length(&self, bytes: &[u8]) -> usize {
        match self.container {
            Container::Safetensors => {
                bytes.first_chunk::<8>().map_or(0, |n| u64::from_le_bytes(*n) as usize).saturating_add(8)
            }
            Container::Torch => 0,
        }
    }

    /// Bytes of all described tensors as stored.
    pub fn source_bytes(&self) -> u64 {
        self.contents.iter().map(|content| content.place.range.len() as u64).sum()
    }

    /// Reads a side file, one of [`ModelDescription::files`]. No other name is looked for.
    pub fn file(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        side_files::read(&self.folder, &self.description.files, name)
    }

    /// A view of a tensor by its index in the description.
    pub fn tensor(&self, index: usize) -> Result<TensorData<'_>, ModelError> {
        let content = self.content(index)?;
        let bytes = match content.form {
            Form::Plain(_) => content.bytes(&self.files),
            _ => &[],
        };
        Ok(TensorData { dtype: content.dtype(), shape: &self.description.tensors[index].shape, bytes })
    }

    /// What the weight file holds for a tensor: its element type in safetensors' spelling, and its bytes.
    pub fn stored(&self, index: usize) -> Result<(&str, &[u8]), ModelError> {
        let content = self.content(index)?;
        Ok((&content.stored, content.bytes(&self.files)))
    }

    /// The stored scales of a tensor, if it has any.
    pub(super) fn scale(&self, index: usize) -> Result<Option<&[u8]>, ModelError> {
        let place = self.content(index)?.scale();
        Ok(place.map(|place| &self.files[place.file].bytes()[place.range.clone()]))
    }

    /// Element type of most weights as stored, in safetensors' spelling.
    pub fn stored_dtype(&self) -> String {
        usual_dtype(self.contents.iter().map(|content| content.stored.as_str()).zip(&self.description.tensors))
    }

    fn content(&self, index: usize) -> Result<&Content, ModelError> {
        self.contents.get(index).ok_or(ModelError::NoSuchTensor { index, count: self.contents.len() })
    }

    /// Fills `out` with whole rows from `first_row` on, as f32. A row is the last dimension; a vector is one row.
    pub fn read_rows_f32(&self, index: usize, first_row: u64, out: &mut [f32]) -> Result<(), ModelError> {
        let content = self.content(index)?;
        let tensor = &self.description.tensors[index];
        let bad = |problem| ModelError::BadRows { tensor: tensor.name.clone(), problem };
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let wanted = out.len() as u64;
        if columns == 0 || !wanted.is_multiple_of(columns) {
            return Err(bad(format!("a buffer of {wanted} numbers is no whole number of rows of {columns}")));
        }
        let count = wanted / columns;
        if first_row.checked_add(count).is_none_or(|end| end > rows) {
            return Err(bad(format!("rows {first_row} to {first_row}+{count} are asked for; it has {rows}")));
        }
        content.read_rows(&self.files, &tensor.shape, first_row, out);
        Ok(())
    }

    /// Place of the first weight that is NaN, infinite or beyond f32. Reads the whole tensor.
    pub fn find_non_finite(&self, index: usize) -> Result<Option<NonFinite>, ModelError> {
        let content = self.content(index)?;
        let tensor = &self.description.tensors[index];
        let columns = tensor.columns().max(1);
        let Some(position) = content.first_non_finite(&self.files, &tensor.shape) else { return Ok(None) };
        let (row, column) = (position / columns, position % columns);
        let mut values = vec![0f32; columns as usize];
        content.read_rows(&self.files, &tensor.shape, row, &mut values);
        Ok(Some(NonFinite { row, column, value: values[column as usize] }))
    }

    /// Errors with name, row and column if a tensor holds a weight that is no finite number. Reads the whole tensor.
    pub fn check_finite(&self, index: usize) -> Result<(), ModelError> {
        match self.find_non_finite(index)? {
            None => Ok(()),
            Some(NonFinite { row, column, value }) => {
                let tensor = self.description.tensors[index].name.clone();
                Err(ModelError::NonFinite { tensor, row, column, value })
            }
        }
    }

    /// Hints that the weights of a unit, by its index in the description, are read next.
    pub fn advise_will_need(&self, unit: usize) {
        self.places_of(unit).for_each(|(file, range)| self.files[file].will_need(range));
    }

    /// Hints that the weights of a unit are not read again soon, so that their memory can be reused; with `forget` also
    /// that of the system's cache.
    pub fn advise_done(&self, unit: usize, forget: bool) {
        self.places_of(unit).for_each(|(file, range)| self.files[file].done_with(range, forget));
    }

    fn places_of(&self, unit: usize) -> impl Iterator<Item = (usize, &Range<usize>)> {
        let tensors = self.description.tensors.iter().zip(&self.contents);
        let of_unit = tensors.filter(move |(t, _)| t.unit as usize == unit);
        of_unit.map(|(_, content)| (content.place.file, &content.place.range))
    }

    /// Identity of the model for resuming: see [`Fingerprint`]. Reads 2 MiB per file and 4 KiB per tensor.
    pub fn fingerprint(&self) -> Result<Fingerprint, ModelError> {
        fingerprint(self)
    }

    /// Errors if a weight file was truncated, rewritten or replaced since the model was opened.
    pub fn check_unchanged(&self) -> Result<(), ModelError> {
        self.files.iter().try_for_each(MappedFile::check_unchanged)
    }
}

fn dtype_error(source: &Source, files: &[MappedFile]) -> ModelError {
    let (tensor, file) = (source.name.clone(), files[source.file].name().to_owned());
    ModelError::Dtype { tensor, file, dtype: source.dtype.to_string() }
}

/// The dtype of most weights; among equals the first in alphabetical order.
pub(super) fn usual_dtype<'a>(tensors: impl Iterator<Item = (&'a str, &'a TensorDescription)>) -> String {
    let mut elements: BTreeMap<&str, u64> = BTreeMap::new();
    for (dtype, tensor) in tensors {
        let sum = elements.entry(dtype).or_default();
        *sum = sum.saturating_add(tensor.elements());
    }
    let most = elements.into_iter().rev().max_by_key(|&(_, count)| count);
    most.map_or_else(String::new, |(dtype, _)| dtype.to_owned())
}
