//! A statistics folder as a job's statistics: checked against the model at once, its values read unit by unit.

use super::measured::Block;
use super::{Handful, Measured};
use crate::failure::{Class, Failure};
use crate::job::Weights;
use llmq_calibration::{Folder, FolderError, Measure, Source, UnitError};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{ModelDescription, StatisticsOffer, StatisticsOrigin, StatisticsPart};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Most names that a sentence lists.
const LISTED: usize = 8;

/// Every kind, and what it is called in the files.
pub(super) const KINDS: [(StatisticKind, Measure); 7] = [
    (StatisticKind::SumSquares, Measure::SumSquares),
    (StatisticKind::SumAbs, Measure::SumAbs),
    (StatisticKind::Sum, Measure::Sum),
    (StatisticKind::Min, Measure::Min),
    (StatisticKind::Max, Measure::Max),
    (StatisticKind::Gram, Measure::Gram),
    (StatisticKind::Samples, Measure::Samples),
];

/// An open folder before its model is known.
#[derive(Debug, Clone)]
pub struct GatheredFolder {
    folder: Arc<Folder>,
    /// Whether the model need not be the one that the statistics are of.
    any_model: bool,
    /// What formats record as its name, if not the folder's own.
    label: Option<&'static str>,
}

/// Statistics of one model. Only descriptions are held; values are read when a unit is at work.
pub struct BoundFolder {
    folder: Arc<Folder>,
    origin: StatisticsOrigin,
    /// Units of the folder, and whether their bytes were compared with their digest.
    units: Vec<(String, Mutex<bool>)>,
    feeds: Vec<Feed>,
    /// By source tensor: the number of its feed, and the expert whose tensor it is.
    readers: BTreeMap<u32, (usize, Option<u32>)>,
}

/// An input that one or several linears share.
struct Feed {
    unit: usize,
    entry: usize,
    columns: usize,
    gram: bool,
    /// Tokens and kept rows of each record: one, or one per expert.
    records: Vec<(u64, u64)>,
}

impl GatheredFolder {
    /// Opens a folder.
    ///
    /// # Errors
    /// A folder without a readable `statistics.json`.
    pub fn open(path: &Path) -> Result<GatheredFolder, Failure> {
        let refused = |error: FolderError| {
            let message = format!("`{}` is no statistics folder: {error}", path.display());
            Failure::new(Class::InvalidArguments, message)
                .suggest("Name a folder that `llm-quantize analyze MODEL --statistics DIR` wrote; importance matrices are given with --imatrix.")
        };
        Ok(GatheredFolder { folder: Arc::new(Folder::open(path).map_err(refused)?), any_model: false, label: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The same without the condition that the model is the one whose statistics these are.
    pub fn for_any_model(&self) -> GatheredFolder {
        GatheredFolder { any_model: true, ..self.clone() }
    }

    /// The same under another name in what is written.
    pub fn called(self, label: &'static str) -> GatheredFolder {
        GatheredFolder { label: Some(label), ..self }
    }

    /// The kinds that were gathered.
    pub fn kinds(&self) -> Vec<&'static str> {
        let settings = self.folder.subject().settings;
        let gathered = |measure| match measure {
            Measure::Gram => settings.dense.gram,
            Measure::Samples => settings.dense.samples > 0,
            _ => true,
        };
        KINDS.iter().filter(|(_, measure)| gathered(*measure)).map(|(kind, _)| kind.word()).collect()
    }

    /// Finds the source tensors that the statistics belong to.
    ///
    /// # Errors
    /// Statistics of another model, of some of its layers only, or of none of its tensors; damaged files.
    pub fn bind(&self, weights: &dyn Weights) -> Result<BoundFolder, Failure> {
        let (description, path) = (weights.description(), self.path().display());
        let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
        if !self.any_model && weights.fingerprint()?.content != self.folder.subject().model {
            let message = format!("the statistics in `{path}` are of another model than `{}`", description.name);
            return Err(refuse(message).suggest(
                "Gather them from this very model with `llm-quantize analyze MODEL --statistics DIR`; any changed file of the model, tokenizer and README included, makes it another one.",
            ));
        }
        if description.stored_as.is_some() {
            return Err(read_as_stored(&format!("the statistics in `{path}`"), description));
        }
        let missing = self.missing(description);
        if !missing.is_empty() {
            let message = format!(
                "the statistics in `{path}` are not complete: {} of {} units are missing ({})",
                missing.len(),
                description.hyperparameters.layers + 1,
                listed(&missing)
            );
            return Err(
                refuse(message).suggest("Run the same `llm-quantize analyze` again; it goes on where it stopped.")
            );
        }
        let bound = self.index(description)?;
        if bound.readers.is_empty() {
            let message = format!("the statistics in `{path}` are of none of the tensors of `{}`", description.name);
            return Err(refuse(message).suggest("Gather them from this very model."));
        }
        Ok(bound)
    }

    /// Units that a finished calibration of the model has and this folder has not.
    fn missing(&self, description: &ModelDescription) -> Vec<String> {
        let layers = (0..description.hyperparameters.layers).map(crate::calibrate::unit_of_layer);
        let all = layers.chain([crate::calibrate::HEAD.to_owned()]);
        all.filter(|unit| !self.folder.is_complete(unit)).collect()
    }

    fn index(&self, description: &ModelDescription) -> Result<BoundFolder, Failure> {
        let tensors: BTreeMap<&str, u32> =
            description.tensors.iter().zip(0..).map(|(tensor, index)| (tensor.name.as_str(), index)).collect();
        let mut bound = BoundFolder {
            folder: Arc::clone(&self.folder),
            origin: self.origin(),
            units: self.folder.units().iter().map(|unit| (unit.id.clone(), Mutex::new(false))).collect(),
            feeds: Vec::new(),
            readers: BTreeMap::new(),
        };
        for unit in 0..bound.units.len() {
            let mut file = self.folder.unit(&bound.units[unit].0).map_err(damaged)?;
            for entry in 0..file.head().entries.len() {
                let tokens = file.tokens(entry).map_err(|error| bound.broken(unit, error))?;
                let head = &file.head().entries[entry];
                for Source { tensor, expert } in &head.sources {
                    let Some(index) = tensors.get(tensor.as_str()) else { continue };
                    let shape = &description.tensors[*index as usize].shape;
                    if !shape.contains(&(head.columns as u64)) {
                        let message = format!(
                            "the statistics in `{}` have {} channels for `{tensor}`, whose shape is {shape:?}",
                            self.path().display(),
                            head.columns
                        );
                        return Err(
                            Failure::new(Class::InvalidArguments, message).suggest("Gather them from this very model.")
                        );
                    }
                    bound.readers.insert(*index, (bound.feeds.len(), *expert));
                    bound.origin.entries += 1;
                }
                let records = tokens.into_iter().zip(head.samples.iter().copied()).collect();
                bound.feeds.push(Feed { unit, entry, columns: head.columns, gram: head.gram, records });
            }
        }
        Ok(bound)
    }

    fn origin(&self) -> StatisticsOrigin {
        let texts = &self.folder.subject().texts;
        let own = || self.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.label.map(str::to_owned).or_else(own);
        StatisticsOrigin {
            files: vec![name.unwrap_or_else(|| "statistics".to_owned())],
            datasets: texts.iter().map(|text| text.name.clone()).collect(),
            entries: 0,
            chunks: texts.iter().map(|text| text.samples).fold(0, u64::saturating_add),
        }
    }
}

impl BoundFolder {
    /// The records of a tensor, with the experts that they are of where it holds several.
    fn parts(&self, tensor: u32) -> Vec<(StatisticsPart, usize, usize)> {
        let Some((feed, expert)) = self.readers.get(&tensor).copied() else { return Vec::new() };
        let part = |expert| StatisticsPart { tensor, expert };
        match (expert, self.feeds[feed].records.len()) {
            (Some(expert), _) => vec![(part(None), feed, expert as usize)],
            (None, 1) => vec![(part(None), feed, 0)],
            (None, several) => (0..several).map(|record| (part(Some(record as u32)), feed, record)).collect(),
        }
    }

    fn values(&self, feed: usize, record: usize, measure: Measure) -> Option<usize> {
        let feed = &self.feeds[feed];
        let rows = feed.records[record].1 as usize;
        match measure {
            Measure::Gram => feed.gram.then_some(feed.columns * feed.columns),
            Measure::Samples => (rows > 0).then_some(rows * feed.columns),
            _ => Some(feed.columns),
        }
    }

    /// What is read for some tensors, each once, and who gets it.
    fn wanted(
        &self,
        tensors: &[usize],
        kinds: &[StatisticKind],
    ) -> BTreeMap<(usize, usize, Measure), Vec<StatisticsPart>> {
        let measures: Vec<Measure> = KINDS.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, m)| *m).collect();
        let mut wanted: BTreeMap<_, Vec<StatisticsPart>> = BTreeMap::new();
        for (part, feed, record) in tensors.iter().flat_map(|tensor| self.parts(*tensor as u32)) {
            for measure in measures.iter().filter(|measure| self.values(feed, record, **measure).is_some()) {
                wanted.entry((feed, record, *measure)).or_default().push(part);
            }
        }
        wanted
    }

    /// Compares a unit's bytes with its digest, the first time that it is asked for.
    fn verify(&self, unit: usize) -> Result<(), Failure> {
        let (id, verified) = &self.units[unit];
        let mut verified = verified.lock().unwrap_or_else(PoisonError::into_inner);
        if !*verified {
            self.folder.verify(id).map_err(damaged)?;
            *verified = true;
        }
        Ok(())
    }

    fn broken(&self, unit: usize, error: UnitError) -> Failure {
        let path = self.folder.path().join(format!("{}.safetensors", self.units[unit].0));
        damaged(FolderError::Unit { path, source: error })
    }
}

impl Measured for BoundFolder {
    fn offers(&self) -> Vec<StatisticsOffer> {
        let offer = |(part, feed, record): (StatisticsPart, usize, usize)| {
            let there = |(_, measure): &&(StatisticKind, Measure)| self.values(feed, record, *measure).is_some();
            StatisticsOffer {
                tensor: part.tensor,
                kinds: KINDS.iter().filter(there).map(|(kind, _)| kind.word().to_owned()).collect(),
                expert: part.expert,
                unseen: self.feeds[feed].records[record].0 == 0,
            }
        };
        self.readers.keys().flat_map(|tensor| self.parts(*tensor)).map(offer).collect()
    }

    fn origin(&self) -> &StatisticsOrigin {
        &self.origin
    }

    /// Of the digests: a file that has another one is refused when its unit is read.
    fn checksum(&self) -> String {
        let mut hash = Xxh3::new();
        for unit in self.folder.units() {
            for word in [&unit.id, &unit.sha256] {
                hash.update(&(word.len() as u64).to_le_bytes());
                hash.update(word.as_bytes());
            }
        }
        format!("{:032x}", hash.digest128())
    }

    fn bytes(&self, tensors: &[usize], kinds: &[StatisticKind]) -> u64 {
        let values =
            self.wanted(tensors, kinds).into_keys().filter_map(|(feed, record, m)| self.values(feed, record, m));
        values.map(|values| values as u64 * size_of::<f32>() as u64).fold(0, u64::saturating_add)
    }

    fn load(&self, tensors: &[usize], kinds: &[StatisticKind]) -> Result<Handful<'_>, Failure> {
        let mut handful = Handful::default();
        let mut open = None;
        for ((feed, record, measure), parts) in self.wanted(tensors, kinds) {
            let Feed { unit, entry, columns, ref records, .. } = self.feeds[feed];
            let file = match &mut open {
                Some((number, file)) if *number == unit => file,
                _ => {
                    self.verify(unit)?;
                    let file = self.folder.unit(&self.units[unit].0).map_err(damaged)?;
                    &mut open.insert((unit, file)).1
                }
            };
            let Some(values) = file.values(entry, record, measure).map_err(|error| self.broken(unit, error))? else {
                continue;
            };
            let columns = columns as u64;
            let shape = match measure {
                Measure::Gram => vec![columns, columns],
                Measure::Samples => vec![records[record].1, columns],
                _ => vec![columns],
            };
            let Some((kind, _)) = KINDS.iter().find(|(_, known)| *known == measure) else { continue };
            let block = Block { kind: *kind, count: records[record].0, shape, values: Cow::Owned(values) };
            let number = handful.keep(block);
            parts.into_iter().for_each(|part| handful.give(part, number));
        }
        Ok(handful)
    }
}

/// Statistics are by the names of Hugging Face, and a job from a format to itself has that format's names.
pub fn read_as_stored(what: &str, description: &ModelDescription) -> Failure {
    let message =
        format!("{what} are by the names of a Hugging Face model, and `{}` is read as it is stored", description.name);
    Failure::new(Class::InvalidArguments, message)
        .suggest("Give an importance matrix with --imatrix; `llm-quantize analyze MODEL --imatrix FILE` writes one.")
}

fn damaged(error: FolderError) -> Failure {
    Failure::new(Class::General, error.to_string()).suggest(
        "The statistics were changed or damaged; gather them again with `llm-quantize analyze MODEL --statistics DIR`.",
    )
}

fn listed(names: &[String]) -> String {
    let some = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED { format!("{some}, ...") } else { some }
}
