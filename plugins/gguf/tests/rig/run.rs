//! One job from folder to file.

use super::{Folder, Host, Memory};
use llmq_gguf::GgufBackend;
use llmq_plugin_api::client::{Backend, UnitInput};
use llmq_plugin_api::sdk::{Error, Statistic, StatisticKind};
use llmq_plugin_api::wire::{Plan, Request, StatisticsOffer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Sums of squares and the token count of one tensor.
pub type SumSquares = (Vec<f32>, u64);

pub struct Job<'a> {
    pub folder: &'a Folder,
    pub level: &'a str,
    pub options: Map<String, Value>,
    pub encodings: Map<String, Value>,
    /// By tensor index.
    pub statistics: BTreeMap<u32, SumSquares>,
    pub host: Host,
}

pub struct Output {
    pub plan: Plan,
    pub bytes: Vec<u8>,
}

impl Output {
    /// Bytes of a tensor by its GGUF name, with its encoding.
    pub fn tensor(&self, name: &str) -> Option<(&str, &[u8])> {
        let slot = self.plan.slots.iter().find(|slot| slot.name == name)?;
        Some((&slot.encoding, &self.bytes[slot.offset as usize..(slot.offset + slot.bytes) as usize]))
    }
}

impl<'a> Job<'a> {
    pub fn new(folder: &'a Folder, level: &'a str) -> Job<'a> {
        let (options, encodings) = (Map::new(), Map::new());
        Job { folder, level, options, encodings, statistics: BTreeMap::new(), host: Host::new(2) }
    }

    pub fn option(mut self, name: &str, value: &str) -> Job<'a> {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    pub fn run(&self) -> Result<Output, Error> {
        let backend = Backend::in_process(GgufBackend)?;
        let offer =
            |tensor: &u32| StatisticsOffer { tensor: *tensor, kinds: vec!["sum_squares".into()], ..Default::default() };
        let request = Request {
            format: "gguf".into(),
            level: self.level.to_owned(),
            stem: "model".into(),
            options: self.options.clone(),
            device: "cpu".into(),
            statistics: self.statistics.keys().map(offer).collect(),
            encodings: self.encodings.clone(),
            creator: "test".into(),
            statistics_origin: None,
            later_layers_see: Default::default(),
        };
        let session = backend.open_session(&self.host, self.folder, &request)?;
        let plan = session.plan().clone();
        let description = &self.folder.description;
        plan.check(description.units.len(), description.tensors.len()).unwrap();
        let memory = Memory::new(&plan);
        memory.literal(0, &session.literal(0)?);
        // Backwards: units may come in any order.
        for (index, unit) in description.units.iter().enumerate().rev() {
            let mine: Vec<usize> =
                (0..description.tensors.len()).filter(|i| description.tensors[*i].unit as usize == index).collect();
            let statistics = mine.iter().filter_map(|i| Some((*i, self.statistics.get(&(*i as u32))?)));
            let shapes: Vec<(usize, [u64; 1], &SumSquares)> =
                statistics.map(|(i, sums)| (i, [sums.0.len() as u64], sums)).collect();
            let input = UnitInput {
                index: index as u32,
                id: &unit.id,
                tensors: mine.iter().map(|i| self.folder.source_tensor(*i)).collect(),
                statistics: shapes
                    .iter()
                    .map(|(tensor, shape, (values, count))| Statistic {
                        tensor: *tensor,
                        expert: None,
                        kind: StatisticKind::SumSquares,
                        count: *count,
                        shape,
                        values,
                    })
                    .collect(),
            };
            session.quantize(&self.host, self.folder, &input, &memory)?;
        }
        Ok(Output { plan, bytes: memory.finish() })
    }
}
