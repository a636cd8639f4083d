//! What was written must come back: numbers within the level's bound, config, tokenizer.

use super::super::report::Rule;
use super::super::specimen::Specimen;
use super::super::stage::{Performance, Services};
use super::{Grade, Judge, keep};
use llmq_plugin_api::client::{Backend, Reader};
use llmq_plugin_api::sdk::MappedFile;
use llmq_plugin_api::wire::{FormatDescriptor, Level, SeenByLaterLayers, Severity, StoredTensor};
use std::str::FromStr;

pub const RECOGNISES: Rule =
    Rule { id: "read.recognises", sentence: "the backend recognises its own output, and not noise" };
pub const VALID: Rule = Rule { id: "read.valid", sentence: "the reader opens the output and finds no fault" };
pub const ERROR: Rule =
    Rule { id: "read.error", sentence: "every tensor decodes to its shape, within the level's relative error" };
pub const ROWS: Rule = Rule { id: "read.rows", sentence: "rows one by one equal rows together" };
pub const FEEDBACK: Rule =
    Rule { id: "read.feedback", sentence: "weights fed back are the ones that the output decodes to" };
pub const CONFIG: Rule = Rule { id: "read.config", sentence: "the rebuilt config.json has the model's sizes" };
pub const TOKENIZER: Rule = Rule { id: "read.tokenizer", sentence: "the rebuilt tokenizer cuts text as the original" };

/// Heads that the host shows to `recognize`.
const HEAD_BYTES: usize = 64 << 10;

pub struct Trial<'a> {
    pub backend: &'a Backend,
    pub format: &'a FormatDescriptor,
    pub level: &'a Level,
    pub specimen: &'a Specimen,
    pub performed: &'a Performance,
    pub case: &'a str,
}

/// Judges what a reader makes of an output.
pub fn judge(judge: &mut Judge, trial: &Trial) {
    let files = trial.performed.mapped();
    judge.hold(RECOGNISES, trial.case, || recognised(trial, &files));
    let services = Services::new(2);
    let mut opened = None;
    judge.hold(VALID, trial.case, || {
        let reader = trial.backend.open(&services, &files).map_err(|e| e.message)?;
        let report = reader.validate(&services, &files).map_err(|e| e.message)?;
        let fault = report.findings.iter().find(|f| f.severity == Severity::Error);
        let sentence = fault.map(|f| format!("{}: {}", f.subject, f.message));
        opened = Some(reader);
        sentence.map_or(Ok(Grade::Kept), Err)
    });
    let Some(reader) = opened else { return };
    judge.hold(ERROR, trial.case, || errors(trial, &reader, &files));
    judge.hold(ROWS, trial.case, || rows(&reader, &files));
    judge.hold(FEEDBACK, trial.case, || feedback(trial, &reader, &files));
    judge.hold(CONFIG, trial.case, || config(trial, &reader));
    judge.hold(TOKENIZER, trial.case, || tokenizer(trial, &reader, &files));
}

fn recognised(trial: &Trial, files: &[MappedFile]) -> Result<Grade, String> {
    let heads: Vec<MappedFile> =
        files.iter().map(|f| MappedFile { data: &f.data[..f.data.len().min(HEAD_BYTES)], ..*f }).collect();
    let own = trial.backend.recognize(&heads);
    let noise = [MappedFile { name: "noise", data: &[0x5a; 4096], length: 4096 }];
    let (noise, none) = (trial.backend.recognize(&noise), trial.backend.recognize(&[]));
    if own < 50 {
        return Err(format!("it is {own} % sure of its own output; hosts ask for 50"));
    }
    keep(noise < 50 && none < 50, || format!("it is {noise} % sure of noise and {none} % of no file"))
}

fn decode(reader: &Reader, files: &[MappedFile], index: usize, tensor: &StoredTensor) -> Result<Vec<f32>, String> {
    let mut out = vec![0f32; tensor.elements() as usize];
    reader.decode_rows(files, index, 0, &mut out).map_err(|e| format!("`{}`: {}", tensor.name, e.message))?;
    Ok(out)
}

fn errors(trial: &Trial, reader: &Reader, files: &[MappedFile]) -> Result<Grade, String> {
    let bound = trial.level.max_relative_error;
    let mut worst = (0.0, "");
    for (source, values) in trial.specimen.description.tensors.iter().zip(&trial.specimen.values) {
        let found = reader.summary().tensors.iter().enumerate().find(|(_, t)| t.name == source.name);
        let Some((index, stored)) = found else {
            if trial.performed.plan.dropped.iter().any(|(name, _)| *name == source.name) {
                continue;
            }
            return Err(format!("the reader does not list `{}`", source.name));
        };
        if stored.shape != source.shape {
            return Err(format!("`{}` has shape {:?}, came back as {:?}", source.name, source.shape, stored.shape));
        }
        let decoded = decode(reader, files, index, stored)?;
        let error = relative_error(values, &decoded);
        if error.is_nan() || error > bound {
            return Err(format!("`{}` has a relative error of {error:.5}, the bound is {bound}", source.name));
        }
        if error >= worst.0 {
            worst = (error, &source.name);
        }
    }
    Ok(Grade::KeptWith(format!("worst {:.5} of {bound}, `{}`", worst.0, worst.1)))
}

/// `||w - v|| / ||w||`; for a tensor of zeros `||v||`, so that it must stay zero.
fn relative_error(values: &[f32], decoded: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let norm: f64 = values.iter().map(|w| square(*w)).sum::<f64>().sqrt();
    let difference =
        values.iter().zip(decoded).map(|(w, v)| (f64::from(*w) - f64::from(*v)).powi(2)).sum::<f64>().sqrt();
    if norm == 0.0 { difference } else { difference / norm }
}

fn rows(reader: &Reader, files: &[MappedFile]) -> Result<Grade, String> {
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let whole = decode(reader, files, index, tensor)?;
        let columns = tensor.shape.last().copied().unwrap_or(1).max(1) as usize;
        let count = whole.len() / columns;
        for row in [0, count / 2, count.saturating_sub(1)] {
            let mut alone = vec![0f32; columns];
            reader.decode_rows(files, index, row as u64, &mut alone).map_err(|e| e.message)?;
            let together = &whole[row * columns..(row + 1) * columns];
            if alone.iter().zip(together).any(|(a, b)| a.to_bits() != b.to_bits()) {
                return Err(format!("row {row} of `{}` differs", tensor.name));
            }
        }
        let mut beyond = vec![0f32; columns];
        if reader.decode_rows(files, index, count as u64, &mut beyond).is_ok() {
            return Err(format!("row {count} of `{}` was given, which has {count} rows", tensor.name));
        }
    }
    Ok(Grade::Kept)
}

fn feedback(trial: &Trial, reader: &Reader, files: &[MappedFile]) -> Result<Grade, String> {
    let required = trial.level.later_layers_see != SeenByLaterLayers::Original;
    let mut compared = 0;
    for (source, fed) in trial.specimen.description.tensors.iter().zip(&trial.performed.feedback) {
        if fed.iter().all(Option::is_none) {
            if required && source.role.is_linear() {
                return Err(format!("later layers see quantized weights, but `{}` was not fed back", source.name));
            }
            continue;
        }
        let found = reader.summary().tensors.iter().enumerate().find(|(_, t)| t.name == source.name);
        let Some((index, stored)) = found else { continue };
        let decoded = decode(reader, files, index, stored)?;
        // To the bit, but for the sign of zero: jobs compare checksums.
        let off = fed.iter().zip(&decoded).position(|(f, d)| f.is_none_or(|f| f != *d));
        if let Some(at) = off {
            let name = &source.name;
            return Err(format!(
                "weight {at} of `{name}` was fed back as {:?} and decodes to {}",
                fed[at], decoded[at]
            ));
        }
        compared += 1;
    }
    Ok(match compared {
        0 => Grade::NotTried("nothing was fed back, and the level does not need it".into()),
        n => Grade::KeptWith(format!("{n} tensors")),
    })
}

fn config(trial: &Trial, reader: &Reader) -> Result<Grade, String> {
    let config = &reader.summary().config;
    if config.is_null() {
        return match reader.summary().warnings.is_empty() {
            true => Err("there is no config and no warning that says why".into()),
            false => Ok(Grade::NotTried(reader.summary().warnings.join("; "))),
        };
    }
    let keys = ["hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size"];
    for key in keys {
        let (ours, theirs) = (&trial.specimen.description.config[key], &config[key]);
        if ours != theirs {
            return Err(format!("{key} was {ours}, came back as {theirs}"));
        }
    }
    Ok(Grade::Kept)
}

fn tokenizer(trial: &Trial, reader: &Reader, files: &[MappedFile]) -> Result<Grade, String> {
    const NAME: &str = "tokenizer.json";
    if !reader.summary().sidecars.iter().any(|s| s == NAME) {
        return Ok(Grade::NotTried(format!("the format {} does not carry {NAME}", trial.format.id)));
    }
    let bytes = reader.sidecar(files, NAME).map_err(|e| e.message)?;
    let text = std::str::from_utf8(&bytes).map_err(|e| e.to_string())?;
    let rebuilt = tokenizers::Tokenizer::from_str(text).map_err(|e| format!("{NAME} cannot be read: {e}"))?;
    let ids = |t: &tokenizers::Tokenizer, sample: &str| t.encode(sample, false).map(|e| e.get_ids().to_vec());
    for sample in ["the theory of  æther\n\t", "1234 <|endoftext|> ça", "\u{1f600}!?"] {
        let ours = trial.specimen.tokenizer.as_ref().map(|t| ids(t, sample));
        let (Some(Ok(ours)), Ok(theirs)) = (ours, ids(&rebuilt, sample)) else {
            return Err(format!("{sample:?} cannot be encoded"));
        };
        if ours != theirs {
            return Err(format!("{sample:?} was {ours:?}, is {theirs:?} now"));
        }
    }
    Ok(Grade::Kept)
}
