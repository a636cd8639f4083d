//! Looks on while a layer runs: what arrives at its linear layers goes into statistics, feed by feed.

use super::Peaks;
use crate::failure::{Class, Failure};
use crate::network;
use crate::pass::Watch;
use llmq_calibration::{CollectError, Collector, Entry, Settings, Source};
use llmq_forward::{Arrival, Layer, Observer, Tokens};
use llmq_plugin_api::wire::{ModelDescription, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Gathers the statistics of one layer.
pub struct Gather<'a> {
    description: &'a ModelDescription,
    /// Every input of the layer, those of experts that no token reaches included.
    expected: Vec<network::Feed>,
    /// Digest of the text, which decides the choice of kept rows.
    text: &'a str,
    /// What to gather; no statistics if `None`.
    options: Option<Settings>,
    /// Tensors whose inputs are gathered; all if `None`.
    only: Option<BTreeSet<usize>>,
    batch: Range<usize>,
    feeds: BTreeMap<String, Feed>,
    /// Largest magnitudes around the last linear layers, if they are looked for.
    peaks: Option<BTreeMap<(usize, Option<u32>), Peaks>>,
    problem: Option<CollectError>,
}

struct Feed {
    collector: Collector,
    sources: Vec<Source>,
}

impl<'a> Gather<'a> {
    /// For one layer of a model.
    pub fn new(
        description: &'a ModelDescription,
        layer: &Layer,
        text: &'a str,
        options: Option<Settings>,
    ) -> Gather<'a> {
        let (feeds, expected) = (BTreeMap::new(), network::feeds(layer));
        Gather { description, expected, text, options, only: None, batch: 0..0, feeds, peaks: None, problem: None }
    }

    /// The same for the inputs of these tensors alone.
    pub fn only(self, tensors: &[usize]) -> Gather<'a> {
        Gather { only: Some(tensors.iter().copied().collect()), ..self }
    }

    /// Looks for the largest magnitudes too.
    pub fn with_peaks(self) -> Gather<'a> {
        Gather { peaks: Some(BTreeMap::new()), ..self }
    }

    /// The statistics, and the largest magnitudes.
    pub fn finish(self) -> Result<(Vec<Entry>, Vec<Peaks>), Failure> {
        if let Some(problem) = self.problem {
            return Err(Failure::new(Class::General, problem.to_string()));
        }
        let mut peaks: Vec<Peaks> = self.peaks.into_iter().flatten().map(|(_, peaks)| peaks).collect();
        peaks.iter_mut().for_each(Peaks::settle);
        let entries = self.feeds.into_values().map(|feed| feed.collector.finish(feed.sources));
        Ok((entries.collect(), peaks))
    }

    /// Experts of the model, for the feeds of single experts.
    fn experts(&self) -> usize {
        self.description.hyperparameters.experts.as_ref().map_or(1, |experts| experts.count as usize)
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> Result<(), CollectError> {
        let (Some(first), Some(settings)) = (arrival.linears.first(), self.options) else { return Ok(()) };
        if self.only.as_ref().is_some_and(|only| arrival.linears.iter().all(|linear| !only.contains(linear))) {
            return Ok(());
        }
        let role = self.description.tensors[*first].role.as_str();
        if !self.feeds.contains_key(role) {
            let experts = arrival.expert.map(|_| self.experts());
            let options = if experts.is_some() { settings.experts } else { settings.dense };
            let collector = Collector::new(self.text, role, arrival.rows.columns, experts, options)?;
            self.feeds.insert(role.to_owned(), Feed { collector, sources: self.sources(role) });
        }
        let Some(feed) = self.feeds.get_mut(role) else { return Ok(()) };
        let place = |row: usize| (self.batch.start + arrival.tokens.of_row(row)) as u64;
        match (arrival.expert, arrival.tokens) {
            (None, Tokens::All) => feed.collector.update(&arrival.rows.values, self.batch.start as u64),
            (expert, _) => {
                let tokens: Vec<u64> = (0..arrival.rows.count()).map(place).collect();
                feed.collector.update_expert(expert.unwrap_or(0) as usize, &arrival.rows.values, &tokens)
            }
        }
    }

    /// Every tensor that a feed is for, whether or not anything arrives there: an expert that no token reaches has a record
    /// with a count of zero, and its tensors say whose it is.
    fn sources(&self, role: &str) -> Vec<Source> {
        let tensor = |linear: usize| &self.description.tensors[linear];
        let named =
            |feed: &&network::Feed| feed.linears.first().is_some_and(|first| tensor(*first).role.as_str() == role);
        let mut sources = Vec::new();
        for feed in self.expected.iter().filter(named) {
            for tensor in feed.linears.iter().map(|linear| tensor(*linear)) {
                let expert = feed.expert.filter(|_| tensor.expert.is_some());
                let source = Source { tensor: tensor.name.clone(), expert };
                if !sources.contains(&source) {
                    sources.push(source);
                }
            }
        }
        sources
    }
}

impl Observer for Gather<'_> {
    fn arrive(&mut self, arrival: Arrival<'_>) {
        if self.problem.is_none() {
            self.problem = self.take(&arrival).err();
        }
        let (Some(peaks), [linear]) = (&mut self.peaks, arrival.linears) else { return };
        let linear = *linear;
        if !matches!(self.description.tensors[linear].role, Role::FfnDown | Role::ExpertDown | Role::SharedExpertDown) {
            return;
        }
        let first = self.batch.start;
        peaks.entry((linear, arrival.expert)).or_insert_with(|| Peaks::new(linear)).arrive(&arrival, first);
    }

    fn leave(&mut self, departure: Arrival<'_>) {
        let first = self.batch.start;
        let Some(peaks) = &mut self.peaks else { return };
        let found = departure.linears.first().and_then(|linear| peaks.get_mut(&(*linear, departure.expert)));
        found.into_iter().for_each(|found| found.leave(&departure, first));
    }
}

impl Watch for Gather<'_> {
    fn batch(&mut self, tokens: Range<usize>) {
        self.batch = tokens;
    }
}
