//! The statistics of a calibration that has not run: what will be offered, and how large it will be.

use super::{LABEL, text_name};
use crate::failure::{Class, Failure};
use crate::network::{Feed, feeds, head_feed};
use crate::pass::Subject;
use crate::statistics::{Handful, Measured};
use llmq_calibration::Settings;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{SeenByLaterLayers, StatisticsOffer, StatisticsOrigin};
use llmq_text::Samples;

/// Kinds that are always gathered.
const ALWAYS: [StatisticKind; 5] =
    [StatisticKind::SumSquares, StatisticKind::SumAbs, StatisticKind::Sum, StatisticKind::Min, StatisticKind::Max];

/// What will be there if every expert sees something.
pub struct Predicted {
    feeds: Vec<Feed>,
    /// Whether a tensor holds several experts.
    stacked: Vec<bool>,
    kinds: Vec<StatisticKind>,
    /// Real rows of a feed, and of an expert's.
    rows: (u64, u64),
    origin: StatisticsOrigin,
}

impl Predicted {
    /// From what the model computes. Behind quantized layers a head that shares the embedding has no statistics: it is
    /// quantized before any layer.
    pub fn new(subject: &Subject, samples: &Samples, settings: Settings, seen: SeenByLaterLayers) -> Predicted {
        let (network, description) = (&subject.network, subject.weights().description());
        let first = |feed: &Feed| feed.linears.iter().any(|linear| description.tensors[*linear].unit == 0);
        let head = Some(head_feed(network)).filter(|head| seen.is_original() || !first(head));
        let feeds: Vec<Feed> = network.layers.iter().flat_map(feeds).chain(head).collect();
        let mut kinds = ALWAYS.to_vec();
        kinds.extend(settings.dense.gram.then_some(StatisticKind::Gram));
        kinds.extend((settings.dense.samples > 0).then_some(StatisticKind::Samples));
        let origin = StatisticsOrigin {
            files: vec![LABEL.to_owned()],
            datasets: samples.report.files.iter().map(|file| text_name(&file.name)).collect(),
            entries: feeds.iter().map(|feed| feed.linears.len() as u64).sum(),
            chunks: samples.report.samples as u64,
        };
        let rows = (settings.dense.samples as u64, settings.experts.samples as u64);
        let stacked = description.tensors.iter().map(|tensor| tensor.expert.is_none()).collect();
        Predicted { feeds, stacked, kinds, rows, origin }
    }

    fn values(&self, feed: &Feed, kind: StatisticKind) -> u64 {
        let columns = feed.columns as u64;
        match kind {
            StatisticKind::Gram => columns.saturating_mul(columns),
            StatisticKind::Samples if feed.expert.is_some() => columns.saturating_mul(self.rows.1),
            StatisticKind::Samples => columns.saturating_mul(self.rows.0),
            _ => columns,
        }
    }
}

impl Measured for Predicted {
    fn offers(&self) -> Vec<StatisticsOffer> {
        let kinds: Vec<String> = self.kinds.iter().map(|kind| kind.word().to_owned()).collect();
        let of_feed = |feed: &Feed| {
            let expert = feed.expert;
            let offer = |linear: &usize| StatisticsOffer {
                tensor: *linear as u32,
                kinds: kinds.clone(),
                expert: expert.filter(|_| self.stacked[*linear]),
                unseen: false,
            };
            feed.linears.iter().map(offer).collect::<Vec<_>>()
        };
        let mut offers: Vec<StatisticsOffer> = self.feeds.iter().flat_map(of_feed).collect();
        offers.sort_by_key(|offer| (offer.tensor, offer.expert));
        offers
    }

    fn origin(&self) -> &StatisticsOrigin {
        &self.origin
    }

    /// Nothing of it reaches an output.
    fn checksum(&self) -> String {
        String::new()
    }

    fn bytes(&self, tensors: &[usize], kinds: &[StatisticKind]) -> u64 {
        let wanted = |feed: &&Feed| feed.linears.iter().any(|linear| tensors.contains(linear));
        let of_feed = |feed: &Feed| {
            let kinds = self.kinds.iter().filter(|kind| kinds.contains(kind));
            kinds.map(|kind| self.values(feed, *kind).saturating_mul(4)).fold(0, u64::saturating_add)
        };
        self.feeds.iter().filter(wanted).map(of_feed).fold(0, u64::saturating_add)
    }

    fn load(&self, _: &[usize], _: &[StatisticKind]) -> Result<Handful<'_>, Failure> {
        Err(Failure::new(Class::General, "statistics were asked for before they were gathered")
            .suggest("This is a defect of llm-quantize; please report it."))
    }
}
