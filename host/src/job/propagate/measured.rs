//! The statistics of a layer when it is its turn: the samples wait in front of it, behind layers that are quantized.

use super::Growing;
use crate::calibrate::{Gather, Prepared, gather_head};
use crate::event::Event;
use crate::failure::Failure;
use crate::job::services::{Held, JobServices};
use crate::job::weights::Weights;
use crate::network::{last_input, stages};
use crate::pass::{Pass, Room, States};
use crate::statistics::{Handful, Measured, handful};
use llmq_calibration::Entry;
use llmq_forward::Nobody;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{SeenByLaterLayers, StatisticsOffer, StatisticsOrigin, UnitKind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What gathering works with.
#[derive(Clone, Copy)]
pub struct Turns<'a> {
    /// The text and the network.
    pub prepared: &'a Prepared,
    /// What was told of the statistics before.
    pub expected: &'a dyn Measured,
    /// The model on its way.
    pub growing: &'a Growing<'a>,
    /// Threads, budget, progress.
    pub services: &'a JobServices<'a>,
}

/// Statistics that are gathered when they are asked for, unit by unit in the order of the model.
pub struct Propagated<'a> {
    turns: Turns<'a>,
    /// By tensor, whether the plan makes use of its statistics.
    used: Vec<bool>,
    room: Room,
    way: Mutex<Option<Way<'a>>>,
}

/// The samples in front of a layer, counted from 0; behind the last one in front of the head.
struct Way<'a> {
    layer: usize,
    states: States,
    _held: Option<Held<'a>>,
}

/// Where a unit stands.
enum Place {
    Layer(usize),
    Head,
}

impl<'a> Propagated<'a> {
    /// Nothing has run yet. `used` says by tensor whether its statistics are of use.
    pub fn new(turns: Turns<'a>, used: Vec<bool>, room: Room) -> Propagated<'a> {
        Propagated { turns, used, room, way: Mutex::default() }
    }

    fn pass(&self) -> Pass<'a> {
        let Turns { prepared, growing, services, .. } = self.turns;
        Pass { weights: growing, ..Pass::calibrating(prepared.subject(), prepared.samples(), &services.of_pass()) }
    }

    /// Where the unit of these tensors stands; `None` where nothing is gathered.
    fn place(&self, tensors: &[usize]) -> Option<Place> {
        let used = tensors.iter().find(|tensor| self.used[**tensor])?;
        let description = self.turns.growing.description();
        let unit = &description.units[description.tensors[*used].unit as usize];
        let layers = self.turns.prepared.subject().network.layers.len();
        match (unit.kind, unit.layer) {
            (UnitKind::Layer, Some(layer)) => Some(layer as usize).filter(|layer| *layer < layers).map(Place::Layer),
            (UnitKind::Head, _) => Some(Place::Head),
            _ => None,
        }
    }

    /// The samples in front of a layer.
    fn arrive(&self, pass: &Pass<'_>, way: &mut Option<Way<'a>>, layer: usize) -> Result<(), Failure> {
        let way = match way {
            Some(way) if way.layer <= layer => way,
            // Units are worked on in the order of the model, so this is the beginning; else it begins anew.
            _ => {
                *way = None;
                let states = pass.embedded(&self.room)?;
                let bytes = (pass.tokens.len() as u64).saturating_mul(pass.network.embedding.width as u64 * 4);
                let held = if states.spilled() { None } else { Some(self.turns.services.hold(bytes)?) };
                way.insert(Way { layer: 0, states, _held: held })
            }
        };
        while way.layer < layer {
            pass.layer(way.layer, &mut way.states, &mut Nobody)?;
            way.layer += 1;
        }
        Ok(())
    }

    fn gather(&self, tensors: &[usize], place: Place) -> Result<Vec<Entry>, Failure> {
        let (pass, prepared) = (self.pass(), self.turns.prepared);
        let (network, text) = (&prepared.subject().network, prepared.samples().report.digest.as_str());
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        match place {
            Place::Layer(layer) => {
                self.arrive(&pass, &mut way, layer)?;
                let gather =
                    Gather::new(pass.weights.description(), &network.layers[layer], text, Some(prepared.settings()));
                let mut gather = gather.only(tensors);
                if let Some(way) = &mut *way {
                    let until = last_input(&network.layers[layer], tensors);
                    pass.look(layer, &until, &mut way.states, &mut gather)?;
                }
                Ok(gather.finish()?.0)
            }
            Place::Head => {
                self.arrive(&pass, &mut way, network.layers.len())?;
                // Behind the last norm they are of no use to any layer.
                let Some(mut way) = way.take() else { return Ok(Vec::new()) };
                pass.finished(&mut way.states)?;
                Ok(vec![gather_head(&pass, &mut way.states, text, prepared.settings())?])
            }
        }
    }

    fn warn_of_dropped(&self, entries: &[Entry]) {
        let dropped: u64 = entries.iter().flat_map(|entry| &entry.records).map(|record| record.dropped).sum();
        if dropped > 0 {
            let feeds: Vec<&str> = entries.iter().map(|entry| entry.feed.as_str()).collect();
            let words = format!(
                "{dropped} rows of activations ({}) held NaN or infinities and were left out",
                feeds.join(", ")
            );
            self.turns.services.tell(Event::Warning(words));
        }
    }
}

impl Measured for Propagated<'_> {
    fn offers(&self) -> Vec<StatisticsOffer> {
        self.turns.expected.offers()
    }

    fn origin(&self) -> &StatisticsOrigin {
        self.turns.expected.origin()
    }

    fn checksum(&self) -> String {
        self.turns.prepared.checksum()
    }

    fn bytes(&self, tensors: &[usize], kinds: &[StatisticKind]) -> u64 {
        if self.place(tensors).is_some() { self.turns.expected.bytes(tensors, kinds) } else { 0 }
    }

    fn load(&self, tensors: &[usize], kinds: &[StatisticKind]) -> Result<Handful<'_>, Failure> {
        let Some(place) = self.place(tensors) else { return Ok(Handful::default()) };
        let Turns { growing, services, .. } = self.turns;
        let began = Instant::now();
        services.tell(Event::Turned { verb: "Calibrating" });
        // The sums beside what is made of them.
        let _sums = services.hold(self.bytes(tensors, kinds))?;
        let entries = self.gather(tensors, place)?;
        self.warn_of_dropped(&entries);
        let names: Vec<String> = entries.iter().map(|entry| entry.feed.clone()).collect();
        let found = handful(entries, growing.description(), tensors, kinds)?;
        let seconds = began.elapsed().as_secs_f64();
        services
            .tell(Event::Detail(format!("calibrated behind quantized layers in {seconds:.2} s: {}", names.join(", "))));
        services.tell(Event::Turned { verb: "Quantizing" });
        Ok(found)
    }

    /// Stage by stage: the linear layers whose statistics are of use, everything else with the first of them.
    fn parts(&self, tensors: &[usize]) -> Vec<Vec<usize>> {
        let whole = vec![tensors.to_vec()];
        let prepared = self.turns.prepared;
        let Some(Place::Layer(layer)) = self.place(tensors) else { return whole };
        if prepared.later_layers_see() != SeenByLaterLayers::QuantizedByStage {
            return whole;
        }
        let mut parts = stages(&prepared.subject().network.layers[layer]);
        parts.retain_mut(|stage| {
            stage.retain(|tensor| tensors.contains(tensor));
            stage.iter().any(|tensor| self.used[*tensor])
        });
        let rest: Vec<usize> =
            tensors.iter().copied().filter(|tensor| parts.iter().all(|part| !part.contains(tensor))).collect();
        match parts.first_mut() {
            Some(first) => first.extend(rest),
            None => return whole,
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        parts
    }

    fn written(&self, tensors: &[usize]) {
        self.turns.growing.take(tensors);
    }
}
