//! Layer by layer: each layer's statistics are complete, and in their folder, before the next one begins.

use super::kept::sums;
use super::{Gather, Importance, Peaks, gather_head};
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::pass::{Pass, Room, Services, Subject};
use llmq_calibration::{Entry, Folder, FolderError, Settings, Text};
use llmq_text::Samples;
use std::path::PathBuf;

/// A calibration as it is meant.
#[derive(Debug, Clone)]
pub struct CalibrationSpec {
    /// What is gathered.
    pub settings: Settings,
    /// Folder of the statistics, if they are kept.
    pub folder: Option<PathBuf>,
    /// Most memory.
    pub memory_limit: Option<u64>,
    /// Whether the largest magnitudes are wanted as well. They are in no folder: finished layers run again for them.
    pub peaks: bool,
}

/// What came of it.
pub struct Calibrated {
    /// Sums of squares by source tensor.
    pub importance: Importance,
    /// Largest magnitudes around the last linear layers of feed-forward blocks, with their layer.
    pub peaks: Vec<(u32, Peaks)>,
    /// All entries without Gram matrices, by layer; the output head's has none.
    pub entries: Vec<(Option<u32>, Entry)>,
}

impl Calibrated {
    fn new(subject: &Subject, entries: Vec<(Option<u32>, Entry)>, peaks: Vec<(u32, Peaks)>) -> Calibrated {
        let names = subject.weights().description().tensors.iter().map(|tensor| tensor.name.as_str());
        Calibrated { importance: Importance::new(names, entries.iter().map(|(_, entry)| entry)), peaks, entries }
    }
}

/// Unit of the output head.
pub const HEAD: &str = "head";

/// Unit of a layer.
pub fn unit_of_layer(layer: u32) -> String {
    format!("layer.{layer}")
}

/// Takes the samples through the model.
pub fn calibrate(
    subject: &Subject,
    samples: &Samples,
    spec: &CalibrationSpec,
    services: &Services<'_>,
) -> Result<Calibrated, Failure> {
    let text = samples.report.digest.as_str();
    let mut folder = match &spec.folder {
        Some(path) => Some(Folder::resume(path, self::subject(subject, samples, spec.settings)?).map_err(unusable)?),
        None => None,
    };
    let layers = subject.network.layers.len();
    let tokens = samples.tokens.len() as u64;
    if let Some(folder) = folder.as_ref().filter(|_| !spec.peaks)
        && let Some(complete) = complete(subject, folder)?
    {
        services.observer.event(Event::Step("An earlier run of this calibration had finished".into()));
        return Ok(complete);
    }
    services.observer.event(Event::Step(format!("Calibrating: {tokens} tokens through {layers} layers")));
    services.observer.event(Event::Started {
        verb: "Calibrating",
        done: 0,
        total: layers,
        weights: tokens * layers as u64,
    });
    let done = run(subject, samples, spec, services, &mut folder);
    services.observer.event(Event::Finished);
    let calibrated = done?;
    let dropped: u64 = calibrated.entries.iter().flat_map(|(_, entry)| &entry.records).map(|r| r.dropped).sum();
    if dropped > 0 {
        let words = format!("{dropped} rows of activations held NaN or infinities and were left out ({text})");
        services.observer.event(Event::Warning(words));
    }
    Ok(calibrated)
}

fn run(
    subject: &Subject,
    samples: &Samples,
    spec: &CalibrationSpec,
    services: &Services<'_>,
    folder: &mut Option<Folder>,
) -> Result<Calibrated, Failure> {
    let description = subject.weights().description();
    let text = samples.report.digest.as_str();
    let layers = subject.network.layers.len();
    let pass = Pass::calibrating(subject, samples, services);
    let mut states = pass.embedded(&Room::new(spec.memory_limit, 1))?;
    let (mut entries, mut peaks) = (Vec::new(), Vec::new());
    for layer in 0..layers {
        let number = layer as u32;
        let unit = unit_of_layer(number);
        let kept = match folder {
            Some(folder) if folder.is_complete(&unit) => Some(sums(folder, &unit)?),
            _ => None,
        };
        let settings = kept.is_none().then_some(spec.settings);
        let mut gather = Gather::new(description, &subject.network.layers[layer], text, settings);
        if spec.peaks {
            gather = gather.with_peaks();
        }
        pass.layer(layer, &mut states, &mut gather)?;
        let (gathered, found) = gather.finish()?;
        peaks.extend(found.into_iter().map(|peak| (number, peak)));
        let of_layer = match kept {
            Some(kept) => kept,
            None => {
                folder.iter_mut().try_for_each(|folder| folder.put(&unit, &gathered)).map_err(unusable)?;
                gathered
            }
        };
        entries.extend(of_layer.into_iter().map(|entry| (Some(number), slim(entry))));
        services.observer.event(Event::Progress { weights: (samples.tokens.len() * (layer + 1)) as u64 });
        services.observer.event(Event::UnitDone { id: unit, done: layer + 1, total: layers });
    }
    pass.finished(&mut states)?;
    let head = match folder {
        Some(folder) if folder.is_complete(HEAD) => sums(folder, HEAD)?,
        _ => {
            let entries = vec![gather_head(&pass, &mut states, text, spec.settings)?];
            folder.iter_mut().try_for_each(|folder| folder.put(HEAD, &entries)).map_err(unusable)?;
            entries
        }
    };
    entries.extend(head.into_iter().map(|entry| (None, slim(entry))));
    Ok(Calibrated::new(subject, entries, peaks))
}

/// What a folder holds, if nothing is missing in it.
fn complete(subject: &Subject, folder: &Folder) -> Result<Option<Calibrated>, Failure> {
    let layers = (0..subject.network.layers.len() as u32).map(|layer| (Some(layer), unit_of_layer(layer)));
    let units: Vec<(Option<u32>, String)> = layers.chain([(None, HEAD.to_owned())]).collect();
    if !units.iter().all(|(_, unit)| folder.is_complete(unit)) {
        return Ok(None);
    }
    let mut entries = Vec::new();
    for (layer, unit) in units {
        entries.extend(sums(folder, &unit)?.into_iter().map(|entry| (layer, entry)));
    }
    Ok(Some(Calibrated::new(subject, entries, Vec::new())))
}

/// Gram matrices and rows are in the folder; in memory they would add up over the layers.
fn slim(mut entry: Entry) -> Entry {
    for record in &mut entry.records {
        record.gram = None;
        record.samples = llmq_calibration::Samples::default();
    }
    entry
}

/// What the statistics of a calibration are of.
pub(super) fn subject(
    subject: &Subject,
    samples: &Samples,
    settings: Settings,
) -> Result<llmq_calibration::Subject, Failure> {
    let names: Vec<String> = samples.report.files.iter().map(|file| super::text_name(&file.name)).collect();
    let text = Text {
        name: names.join(", "),
        sha256: samples.report.digest.clone(),
        samples: samples.report.samples as u64,
        seqlen: samples.seqlen as u64,
        tokens: samples.tokens.len() as u64,
    };
    Ok(llmq_calibration::Subject {
        model: subject.weights().fingerprint()?.content,
        tool: format!("llm-quantize {}", env!("CARGO_PKG_VERSION")),
        texts: vec![text],
        settings,
    })
}

fn unusable(error: FolderError) -> Failure {
    Failure::new(Class::Checkpoint, error.to_string()).suggest("Name another folder with --statistics DIR")
}
