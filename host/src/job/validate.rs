//! The written output, read back by the backend's own reader and compared with the source.

use super::done::Fed;
use super::loss::Loss;
use super::partial::Partial;
use super::sample::{self, Distance};
use super::services::JobServices;
use super::stop::{Stop, storage};
use super::weights::Weights;
use super::written::{Written, failed, pairs, written};
use crate::failure::Failure;
use crate::model::map_file;
use llmq_plugin_api::client::{Backend, Reader};
use llmq_plugin_api::sdk::MappedFile;
use llmq_plugin_api::wire::{Level, Plan, Severity};
use memmap2::Mmap;
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;
use std::collections::BTreeMap;

/// Weights that are read back at a time where a whole tensor is.
const BLOCK_WEIGHTS: usize = 1 << 18;

/// One tensor after validation.
#[derive(Debug, Clone, Serialize)]
pub struct TensorCheck {
    /// Hugging Face name.
    pub name: String,
    /// Name in the output.
    pub stored_name: String,
    /// Encoding as the format calls it.
    pub encoding: String,
    /// Stored bytes.
    pub bytes: u64,
    /// `||w - decoded|| / ||w||` over the sampled rows.
    pub relative_error: f64,
    /// Rows compared.
    pub sampled_rows: usize,
    /// Whether every weight was read back and is, to the bit, what the plugin said the output would hold. `null` if it did
    /// not say so.
    pub as_computed: Option<bool>,
}

/// What validation found.
#[derive(Debug, Default)]
pub struct Validated {
    /// Every source tensor of the output, in model order.
    pub tensors: Vec<TensorCheck>,
    /// Sentences for the user.
    pub warnings: Vec<String>,
    /// What the whole output lost, if it was asked for.
    pub loss: Option<Loss>,
}

/// What is validated, and against what.
pub struct Validation<'a> {
    /// The backend that wrote.
    pub backend: &'a Backend,
    /// The format that was written.
    pub format: &'a str,
    /// The level that was asked for.
    pub level: &'a Level,
    /// What was to be written.
    pub plan: &'a Plan,
    /// The model, with everything folded into it that the backend was handed.
    pub source: &'a dyn Weights,
    /// Threads and cancellation.
    pub services: &'a JobServices<'a>,
    /// What the backend said the output would hold, by tensor.
    pub fed: BTreeMap<u32, Fed>,
    /// Whether every weight is compared in the end.
    pub measure_loss: bool,
}

impl Validation<'_> {
    /// Reads the finished files back. Fails with [`crate::failure::Class::ValidationFailed`] if they are not what they should be.
    pub fn run(&self, partial: &Partial) -> Result<Validated, Stop> {
        let mut maps = Vec::with_capacity(partial.files().len());
        for (path, file) in partial.files() {
            maps.push(map_file(file).map_err(|e| storage("map", path, &e))?);
        }
        let view = |(file, map): (&_, &'_ Mmap)| -> (String, u64) {
            let file: &llmq_plugin_api::wire::OutputFile = file;
            (file.name.clone(), map.len() as u64)
        };
        let names: Vec<(String, u64)> = self.plan.files.iter().zip(&maps).map(view).collect();
        let files: Vec<MappedFile> = names
            .iter()
            .zip(&maps)
            .map(|((name, length), map)| MappedFile { name, data: map, length: *length })
            .collect();
        Ok(self.check(&files)?)
    }

    fn check(&self, files: &[MappedFile]) -> Result<Validated, Failure> {
        let rejected = |what: &str, error: llmq_plugin_api::sdk::Error| {
            if error.kind == llmq_plugin_api::sdk::Kind::Cancelled {
                return Failure::from(error);
            }
            failed(format!("the written output cannot be {what} by the plugin's own reader: {}", error.message))
        };
        let reader = self.backend.open(self.services, files).map_err(|e| rejected("opened", e))?;
        let report = reader.validate(self.services, files).map_err(|e| rejected("checked", e))?;
        let sentence = |f: &llmq_plugin_api::wire::Finding| format!("{}: {}", f.subject, f.message);
        let errors: Vec<String> =
            report.findings.iter().filter(|f| f.severity == Severity::Error).map(sentence).collect();
        if let Some(first) = errors.first() {
            return Err(failed(format!("the written output has {} faults; the first: {first}", errors.len())));
        }
        let warnings = report.findings.iter().filter(|f| f.severity == Severity::Warning).map(sentence).collect();
        let listed = written(reader.summary(), self.source.description().stored_as.is_some());
        let pairs = pairs(self.plan, self.source.description(), &listed)?;
        let compare = |(source, place): &(usize, usize)| self.compare(&reader, files, *source, &listed[*place]);
        let checks: Result<Vec<_>, Failure> = self.services.pool().install(|| pairs.par_iter().map(compare).collect());
        let checks = checks?;
        self.services.check_cancelled()?;
        self.judge(&checks)?;
        let loss = if self.measure_loss { Some(self.loss(&reader, files, &pairs, &listed)?) } else { None };
        Ok(Validated { tensors: checks, warnings, loss })
    }

    fn compare(
        &self,
        reader: &Reader,
        files: &[MappedFile],
        source: usize,
        found: &Written<'_>,
    ) -> Result<TensorCheck, Failure> {
        self.services.check_cancelled()?;
        let tensor = &self.source.description().tensors[source];
        let rows = sample::rows(tensor.rows(), tensor.columns());
        let columns = tensor.columns() as usize;
        let (mut original, mut decoded) = (vec![0f32; columns], vec![0f32; columns]);
        let mut distance = Distance::default();
        for row in &rows {
            self.rows(reader, files, source, found, *row, (&mut original, &mut decoded))?;
            distance.add(&original, &decoded, plain_float(found.encoding).map_or(0.0, |(_, floor)| floor));
        }
        Ok(TensorCheck {
            name: tensor.name.clone(),
            stored_name: found.stored_name.to_owned(),
            encoding: found.encoding.to_owned(),
            bytes: found.bytes,
            relative_error: distance.relative(),
            sampled_rows: rows.len(),
            as_computed: self.as_computed(reader, files, source, found)?,
        })
    }

    /// Reads a whole tensor back. `None` if the backend did not hand back each of its rows once.
    fn as_computed(
        &self,
        reader: &Reader,
        files: &[MappedFile],
        source: usize,
        found: &Written<'_>,
    ) -> Result<Option<bool>, Failure> {
        let tensor = &self.source.description().tensors[source];
        let (rows, columns) = (tensor.rows(), tensor.columns() as usize);
        let Some(fed) = self.fed.get(&(source as u32)).filter(|fed| fed.rows == rows && rows > 0) else {
            return Ok(None);
        };
        let step = (BLOCK_WEIGHTS / columns.max(1)).max(1) as u64;
        let read = |block: u64| -> Result<Fed, Failure> {
            self.services.check_cancelled()?;
            let first = block * step;
            let mut decoded = vec![0f32; step.min(rows - first) as usize * columns];
            reader.decode_rows(files, found.number, first, &mut decoded).map_err(|e| {
                failed(format!("row {first} of tensor `{}` cannot be decoded: {}", found.stored_name, e.message))
            })?;
            let mut fed = Fed::default();
            fed.add(first, &decoded, columns);
            Ok(fed)
        };
        let blocks: Result<Vec<Fed>, Failure> = (0..rows.div_ceil(step)).into_par_iter().map(read).collect();
        let mut all = Fed::default();
        blocks?.into_iter().for_each(|fed| all.join(fed));
        Ok(Some(all == *fed))
    }

    /// The same rows of the source and of the output.
    pub(super) fn rows(
        &self,
        reader: &Reader,
        files: &[MappedFile],
        source: usize,
        found: &Written<'_>,
        first: u64,
        (original, decoded): (&mut [f32], &mut [f32]),
    ) -> Result<(), Failure> {
        self.source.read_rows(source, first, original)?;
        reader.decode_rows(files, found.number, first, decoded).map_err(|e| {
            failed(format!("row {first} of tensor `{}` cannot be decoded: {}", found.stored_name, e.message))
        })
    }

    fn judge(&self, checks: &[TensorCheck]) -> Result<(), Failure> {
        if let Some(check) = checks.iter().find(|check| check.as_computed == Some(false)) {
            let message = format!(
                "tensor `{}` does not read back as it was computed, though its file is well-formed",
                check.stored_name
            );
            return Err(failed(message));
        }
        // What a tensor was given by choice may be coarser than anything the level itself gives.
        let of_encoding = |check: &TensorCheck| {
            let format = self.backend.descriptor().format(self.format)?;
            Some(format.encoding(&check.encoding)?.max_relative_error)
        };
        let bound = |check: &TensorCheck| match plain_float(&check.encoding) {
            Some((bound, _)) => bound,
            None => of_encoding(check).unwrap_or(0.0).max(self.level.max_relative_error),
        };
        let is_beyond = |c: &&TensorCheck| c.relative_error > bound(c) || c.relative_error.is_nan();
        let mut beyond: Vec<&TensorCheck> = checks.iter().filter(is_beyond).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        beyond.sort_by(|a, b| b.relative_error.total_cmp(&a.relative_error));
        let one = |c: &&TensorCheck| {
            format!("`{}` in {} has {:.4}, allowed {:.4}", c.name, c.encoding, c.relative_error, bound(c))
        };
        let worst: Vec<String> = beyond.iter().take(3).map(one).collect();
        Err(failed(format!(
            "{} of {} tensors are further from the source than level {} allows; relative errors: {}",
            beyond.len(),
            checks.len(),
            self.level.id,
            worst.join("; ")
        )))
    }
}

/// Largest relative error, and differences not counted, of encodings that are plain floating-point numbers.
///
/// A half has 11 bits, a bfloat 8: rounding to nearest stays below 2^-9 of the value. Below its normal range a half has
/// steps of 2^-24, which is large beside tiny weights and harmless beside all others.
fn plain_float(encoding: &str) -> Option<(f64, f64)> {
    match encoding.to_ascii_uppercase().as_str() {
        "F32" | "F64" => Some((1e-3, 0.0)),
        "F16" => Some((5e-3, 1.0 / f64::from(1 << 24))),
        "BF16" => Some((5e-3, 0.0)),
        _ => None,
    }
}

/// Whether an encoding is plain floating-point numbers.
pub fn is_plain(encoding: &str) -> bool {
    plain_float(encoding).is_some()
}
