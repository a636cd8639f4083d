//! A structural check of the whole model: completeness, agreement of keys and tensors, every block's scales.

use super::{GgufReader, tensor_bytes};
use crate::container::Header;
use crate::value::Value;
use llmq_ggml_blocks::{BlockError, validate_rows};
use llmq_plugin_api::sdk::{Context, Error, MappedFile};
use llmq_plugin_api::wire::{Finding, Severity, ValidationReport};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are checked together: a few milliseconds of work.
const CHUNK_BYTES: usize = 4 << 20;

/// More findings than this help nobody.
const MOST_FINDINGS: usize = 100;

pub(super) fn validate(reader: &GgufReader, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
    let mut findings = Vec::new();
    let main = reader.headers.iter().find(|header| header.unsigned("split.no").unwrap_or(0) == 0);
    if let Some(main) = main {
        required_keys(main, &mut findings);
        vocabulary(reader, main, &mut findings);
        layers(reader, main, &mut findings);
    }
    for (header, file) in reader.headers.iter().zip(files) {
        tail(header, file, &mut findings);
    }
    findings.extend(blocks(reader, cx, files)?);
    if findings.len() > MOST_FINDINGS {
        let more = findings.len() - MOST_FINDINGS;
        findings.sort_by_key(|finding| finding.severity != Severity::Error);
        findings.truncate(MOST_FINDINGS);
        findings.push(finding(Severity::Info, "", format!("{more} further findings are left out")));
    }
    Ok(ValidationReport { findings })
}

fn finding(severity: Severity, subject: &str, message: String) -> Finding {
    Finding { severity, subject: subject.to_owned(), message }
}

fn required_keys(main: &Header, findings: &mut Vec<Finding>) {
    for key in ["general.architecture", "tokenizer.ggml.model"] {
        if main.text(key).is_none() {
            findings.push(finding(
                Severity::Error,
                key,
                format!("the key `{key}` is missing; llama.cpp refuses the file"),
            ));
        }
    }
    if main.unsigned("general.file_type").is_none() {
        let message = "the key `general.file_type` is missing; the level is guessed".to_owned();
        findings.push(finding(Severity::Warning, "general.file_type", message));
    }
}

/// llama.cpp indexes the embeddings by token id.
fn vocabulary(reader: &GgufReader, main: &Header, findings: &mut Vec<Finding>) {
    let Some(Value::Array(tokens)) = main.get("tokenizer.ggml.tokens") else { return };
    let embedding = reader.listed.iter().find(|tensor| tensor.stored.info.name == "token_embd.weight");
    let rows = embedding.map_or(0, |tensor| tensor.stored.info.rows());
    if rows != tokens.len() as u64 {
        let message = format!("token_embd.weight has {rows} rows, the vocabulary has {} tokens", tokens.len());
        findings.push(finding(Severity::Error, "tokenizer.ggml.tokens", message));
    }
}

/// Every layer must have the tensors that most layers have.
fn layers(reader: &GgufReader, main: &Header, findings: &mut Vec<Finding>) {
    let Some(arch) = reader.arch else { return };
    let key = format!("{}.block_count", arch.name);
    let Some(count) = main.unsigned(&key) else {
        findings.push(finding(
            Severity::Error,
            &key,
            format!("the key `{key}` is missing; llama.cpp refuses the file"),
        ));
        return;
    };
    let mut names: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for tensor in &reader.listed {
        let parts = tensor.stored.info.name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        if let Some((layer, name)) = parts.and_then(|(layer, name)| Some((layer.parse().ok()?, name))) {
            names.entry(name).or_default().insert(layer);
        }
    }
    if count > 0 && names.is_empty() {
        findings.push(finding(Severity::Error, &key, format!("`{key}` is {count}, but there is no layer")));
    }
    let dense = main.unsigned(&format!("{}.leading_dense_block_count", arch.name)).map(|dense| dense.min(count));
    for (name, found) in names {
        let wanted = wanted_layers(name, dense, count);
        let inside = found.range(wanted.clone()).count() as u64;
        let all = wanted.end - wanted.start;
        if inside != all {
            let first = wanted.clone().find(|layer| !found.contains(layer)).unwrap_or(wanted.start);
            let message = format!("{} of {all} layers have no `{name}`, the first is layer {first}", all - inside);
            findings.push(finding(Severity::Error, name, message));
        }
        if let Some(beyond) = found.iter().find(|layer| !wanted.contains(layer)) {
            let message = format!("`blk.{beyond}.{name}` is in none of the layers {wanted:?} that `{key}` calls for");
            findings.push(finding(Severity::Warning, name, message));
        }
    }
}

/// Layers that must have a tensor: where the first ones are dense, experts begin behind them.
fn wanted_layers(name: &str, dense: Option<u64>, count: u64) -> Range<u64> {
    const SPARSE: &[&str] = &["_exps.", "_shexp.", "ffn_gate_inp", "exp_probs_b"];
    let Some(dense) = dense else { return 0..count };
    if SPARSE.iter().any(|part| name.contains(part)) {
        dense..count
    } else if ["ffn_gate.", "ffn_up.", "ffn_down."].iter().any(|start| name.starts_with(start)) {
        0..dense
    } else {
        0..count
    }
}

fn tail(header: &Header, file: &MappedFile, findings: &mut Vec<Finding>) {
    if file.length > header.data_end {
        let message = format!("{} bytes follow the last tensor; they belong to nothing", file.length - header.data_end);
        findings.push(finding(Severity::Warning, file.name, message));
    }
    if file.length < header.data_end {
        let message = "the last tensor is not padded to the alignment; some programs refuse that".to_owned();
        findings.push(finding(Severity::Warning, file.name, message));
    }
}

/// The first block of every tensor whose scales are not finite.
fn blocks(reader: &GgufReader, cx: &Context, files: &[MappedFile]) -> Result<Vec<Finding>, Error> {
    let mut chunks = Vec::new();
    let mut total = 0;
    for (tensor, listed) in reader.listed.iter().enumerate() {
        let bytes = tensor_bytes(files, listed.file, &listed.stored)?;
        let block = listed.stored.info.encoding.block_bytes();
        let step = (CHUNK_BYTES / block).max(1) * block;
        chunks.extend(bytes.chunks(step).enumerate().map(|(i, chunk)| (tensor, i * step / block, chunk)));
        total += listed.stored.info.ne.iter().product::<u64>();
    }
    let bad: Mutex<BTreeMap<usize, (usize, Finding)>> = Mutex::new(BTreeMap::new());
    let done = AtomicU64::new(0);
    cx.parallel_for(chunks.len(), |i| {
        let (tensor, first_block, chunk) = chunks[i];
        let info = &reader.listed[tensor].stored.info;
        let weights = (chunk.len() / info.encoding.block_bytes() * info.encoding.block_len()) as u64;
        if let Err(error) = validate_rows(info.encoding, chunk) {
            let (block, finding) = fault(&info.name, first_block, error);
            let mut bad = bad.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let first = bad.entry(tensor).or_insert((usize::MAX, finding.clone()));
            if block < first.0 {
                *first = (block, finding);
            }
        }
        cx.progress(done.fetch_add(weights, Ordering::Relaxed) + weights, total);
        Ok(())
    })?;
    let bad = bad.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    Ok(bad.into_values().map(|(_, finding)| finding).collect())
}

fn fault(name: &str, first_block: usize, error: BlockError) -> (usize, Finding) {
    match error {
        BlockError::NotFinite { ty, block, field } => {
            let block = first_block + block;
            let message = format!("the {field} of {} block {block} of `{name}` is not a finite number", ty.name());
            (block, finding(Severity::Error, name, message))
        }
        BlockError::CannotDequantize(ty) => {
            let message = format!("the blocks of `{name}` are {}, which cannot be checked yet", ty.name());
            (first_block, finding(Severity::Warning, name, message))
        }
        other => (first_block, finding(Severity::Error, name, format!("{name}: {other}"))),
    }
}
