//! A statistics folder in words: of what it is, its units, and every tensor's figures.

use super::{Align, Table, imatrix, number};
use crate::calibrate::Kept;
use crate::statistics::Figures;
use llmq_calibration::{Entry, GramWidth, Settings, Text, Unit};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Result of `statistics show`.
#[derive(Debug, Serialize)]
pub struct StatisticsShown {
    /// The folder.
    pub folder: PathBuf,
    /// Fingerprint of the model.
    pub model: String,
    /// Program and version that gathered it.
    pub tool: String,
    /// The texts.
    pub texts: Vec<Text>,
    /// Tokens of all texts.
    pub tokens: u64,
    /// What was gathered.
    pub settings: Settings,
    /// Bytes of all units.
    pub bytes: u64,
    /// The complete units.
    pub units: Vec<ShownUnit>,
    /// Figures of every tensor with data.
    pub tensors: Vec<Figures>,
    /// Files that are not what was written, if that was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Vec<String>>,
}

/// A unit.
#[derive(Debug, Serialize)]
pub struct ShownUnit {
    /// Id, bytes and checksum.
    #[serde(flatten)]
    pub unit: Unit,
    /// What arrives at its linear layers.
    pub feeds: Vec<ShownFeed>,
}

/// What arrives at linear layers.
#[derive(Debug, Serialize)]
pub struct ShownFeed {
    /// Name.
    pub feed: String,
    /// Tensors that read it; those of experts are counted, not named.
    pub tensors: Vec<String>,
    /// Channels.
    pub columns: usize,
    /// Experts, if rows are routed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experts: Option<usize>,
    /// Experts that no token reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<usize>,
    /// Rows that went in, over all experts.
    pub tokens: u64,
    /// Rows that were dropped as not finite.
    pub dropped: u64,
}

impl StatisticsShown {
    /// What a folder holds.
    pub fn new(folder: &Path, kept: &Kept, damaged: Option<Vec<String>>) -> StatisticsShown {
        let subject = kept.subject();
        let unit = |(unit, entries): &(Unit, Vec<Entry>)| ShownUnit {
            unit: unit.clone(),
            feeds: entries.iter().map(ShownFeed::new).collect(),
        };
        StatisticsShown {
            folder: folder.to_owned(),
            model: subject.model.clone(),
            tool: subject.tool.clone(),
            texts: subject.texts.clone(),
            tokens: subject.texts.iter().map(|text| text.tokens).sum(),
            settings: subject.settings,
            bytes: kept.units().iter().map(|(unit, _)| unit.bytes).sum(),
            units: kept.units().iter().map(unit).collect(),
            tensors: kept.figures(),
            damaged,
        }
    }
}

impl ShownFeed {
    fn new(entry: &Entry) -> ShownFeed {
        let named = entry.sources.iter().filter(|source| source.expert.is_none());
        ShownFeed {
            feed: entry.feed.clone(),
            tensors: named.map(|source| source.tensor.clone()).collect(),
            columns: entry.columns,
            experts: entry.routed.then_some(entry.records.len()),
            unseen: entry.routed.then(|| entry.records.iter().filter(|record| record.tokens == 0).count()),
            tokens: entry.records.iter().map(|record| record.tokens).sum(),
            dropped: entry.records.iter().map(|record| record.dropped).sum(),
        }
    }
}

/// The whole folder.
pub fn statistics(shown: &StatisticsShown) -> String {
    let mut text = head(shown);
    text.push('\n');
    text.push_str(&units(&shown.units));
    text.push('\n');
    text.push_str(&imatrix::entries(&shown.tensors));
    if let Some(damaged) = &shown.damaged {
        text.push('\n');
        damaged.iter().for_each(|sentence| text.push_str(&format!("Error: {sentence}\n")));
        if damaged.is_empty() {
            text.push_str("Every file has its checksum.\n");
        }
    }
    text
}

fn head(shown: &StatisticsShown) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, value: String| table.row([name.to_owned(), value]);
    line("Folder", shown.folder.display().to_string());
    line("Model", shown.model.clone());
    line("Program", shown.tool.clone());
    for (index, text) in shown.texts.iter().enumerate() {
        let (samples, seqlen) = (number::count(text.samples), number::count(text.seqlen));
        let digest = text.sha256.get(..12).unwrap_or(&text.sha256);
        let name = if index == 0 { "Texts" } else { "" };
        line(name, format!("{} ({samples} samples of {seqlen} tokens, {digest}...)", text.name));
    }
    line("Tokens", number::count(shown.tokens));
    line("Gathered", gathered(&shown.settings));
    line("Units", format!("{}, {}", shown.units.len(), number::bytes(shown.bytes)));
    table.render()
}

fn gathered(settings: &Settings) -> String {
    let width = match settings.gram_width {
        GramWidth::F32 => "f32",
        GramWidth::F64 => "f64",
    };
    let gram = match (settings.dense.gram, settings.experts.gram) {
        (true, true) => format!(", Gram matrices in {width}"),
        (true, false) => format!(", Gram matrices in {width} but for experts"),
        (false, true) => format!(", Gram matrices of experts in {width}"),
        (false, false) => ", no Gram matrices".to_owned(),
    };
    let (dense, experts) = (settings.dense.samples, settings.experts.samples);
    format!("sums, smallest and largest values{gram}; up to {dense} rows ({experts} of an expert)")
}

fn units(units: &[ShownUnit]) -> String {
    let columns = [
        ("UNIT", Align::Left),
        ("BYTES", Align::Right),
        ("FEED", Align::Left),
        ("CHANNELS", Align::Right),
        ("EXPERTS", Align::Right),
        ("TOKENS", Align::Right),
        ("DROPPED", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for ShownUnit { unit, feeds } in units {
        for (index, feed) in feeds.iter().enumerate() {
            let own = if index == 0 { (unit.id.clone(), number::bytes(unit.bytes)) } else { Default::default() };
            let experts = feed.experts.map_or_else(String::new, |experts| match feed.unseen {
                Some(unseen) if unseen > 0 => format!("{experts} ({unseen} unseen)"),
                _ => experts.to_string(),
            });
            let tokens = [number::count(feed.tokens), number::count(feed.dropped)];
            table.row([own.0, own.1, feed.feed.clone(), feed.columns.to_string(), experts].into_iter().chain(tokens));
        }
    }
    table.render()
}
