//! One whole quantization in memory.

use super::super::specimen::{Measured, Specimen, measure};
use super::destination::{Destination, SlotBytes};
use super::{Services, Source};
use llmq_plugin_api::client::{Backend, Session, SourceTensor, UnitInput};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile, Statistic};
use llmq_plugin_api::wire::{FormatDescriptor, Level, Plan, Request};
use serde_json::{Map, Value};

/// Cap on a plan's total size: a specimen has ten million weights at most.
const MAX_BYTES: u64 = 1 << 30;

/// In which order units are quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the model has them, in one session.
    Forward,
    /// From the last to the first, each in a session of its own, as resumed jobs do.
    BackwardAlone,
    /// As the model has them, every linear layer by itself, everything else of a unit with the first of them.
    InParts,
}

/// Everything that a quantization left behind.
pub struct Performance {
    /// Its plan.
    pub plan: Plan,
    /// Names and contents of the files.
    pub files: Vec<(String, Vec<u8>)>,
    /// Contents of the slots, with a count per byte.
    pub slots: Vec<SlotBytes>,
    /// Weights fed back, per tensor.
    pub feedback: Vec<Vec<Option<f32>>>,
    /// What was done wrong while writing.
    pub misdeeds: Vec<String>,
    /// Reservations not given back.
    pub unreleased: usize,
}

impl Performance {
    /// The files as a reader gets them.
    pub fn mapped(&self) -> Vec<MappedFile<'_>> {
        self.files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect()
    }
}

/// Options with their defaults filled in, as the host sends them.
fn defaults(format: &FormatDescriptor) -> Map<String, Value> {
    let stated = format.options.iter().filter(|o| !o.default.is_null());
    stated.map(|o| (o.name.clone(), o.default.clone())).collect()
}

/// A request for a level, with all statistics that it can use.
pub fn request(specimen: &Specimen, format: &FormatDescriptor, level: &Level) -> (Request, Vec<Measured>) {
    let words: Vec<String> = level.requires_statistics.iter().chain(&level.uses_statistics).cloned().collect();
    let (measured, statistics) = measure(specimen, &words);
    let request = Request {
        format: format.id.clone(),
        level: level.id.clone(),
        stem: specimen.description.name.clone(),
        options: defaults(format),
        device: "cpu".into(),
        statistics,
        encodings: Map::new(),
        creator: "llm-quantize check".into(),
        statistics_origin: None,
        later_layers_see: Default::default(),
    };
    (request, measured)
}

/// Quantizes a whole specimen.
pub fn perform(
    backend: &Backend,
    specimen: &Specimen,
    (request, measured): &(Request, Vec<Measured>),
    services: &Services,
    order: Order,
) -> Result<Performance, Error> {
    let source = Source(specimen);
    let open = || backend.open_session(services, &source, request);
    let session = open()?;
    let plan = session.plan().clone();
    check(&plan, specimen)?;
    let destination = Destination::new(&plan, specimen);
    let units = specimen.description.units.len() as u32;
    let run = |session: &Session, unit: u32| {
        destination.begin(unit);
        session.quantize(services, &source, &input(specimen, measured, unit), &destination)
    };
    let in_parts = |unit: u32| {
        destination.begin(unit);
        parts(specimen, input(specimen, measured, unit))
            .into_iter()
            .try_for_each(|part| session.quantize(services, &source, &part, &destination).map(drop))
    };
    match order {
        Order::Forward => (0..units).try_for_each(|unit| run(&session, unit).map(drop))?,
        Order::InParts => (0..units).try_for_each(in_parts)?,
        Order::BackwardAlone => (0..units).rev().try_for_each(|unit| run(&open()?, unit).map(drop))?,
    }
    let (slots, feedback, misdeeds) = destination.finish();
    let files = assemble(&session, &plan, &slots)?;
    Ok(Performance { plan, files, slots, feedback, misdeeds, unreleased: services.outstanding() })
}

fn check(plan: &Plan, specimen: &Specimen) -> Result<(), Error> {
    let fault = |message: String| Error::new(Kind::Other, message);
    plan.check(specimen.description.units.len(), specimen.description.tensors.len())
        .map_err(|e| fault(e.to_string()))?;
    match plan.total_bytes() {
        bytes if bytes <= MAX_BYTES => Ok(()),
        bytes => Err(fault(format!("the plan asks for {bytes} bytes for {}", specimen.description.name))),
    }
}

/// One unit of a specimen, as the host hands it in.
pub fn input<'a>(specimen: &'a Specimen, measured: &'a [Measured], unit: u32) -> UnitInput<'a> {
    let mine = |tensor: u32| specimen.description.tensors[tensor as usize].unit == unit;
    let tensor = |index: u32| {
        let described = &specimen.description.tensors[index as usize];
        SourceTensor {
            index,
            name: &described.name,
            dtype: &described.dtype,
            shape: &described.shape,
            data: &specimen.data[index as usize],
        }
    };
    let tensors = (0..specimen.data.len() as u32).filter(|t| mine(*t)).map(tensor).collect();
    let statistic = |m: &'a Measured| Statistic {
        tensor: m.tensor as usize,
        expert: None,
        kind: m.kind,
        count: Measured::COUNT,
        shape: &m.shape,
        values: &m.values,
    };
    let statistics = measured.iter().filter(|m| mine(m.tensor)).map(statistic).collect();
    UnitInput { index: unit, id: &specimen.description.units[unit as usize].id, tensors, statistics }
}

/// A unit in as many parts as it has linear layers, at least one.
fn parts<'a>(specimen: &Specimen, unit: UnitInput<'a>) -> Vec<UnitInput<'a>> {
    let linear = |tensor: &SourceTensor| specimen.description.tensors[tensor.index as usize].role.is_linear();
    let (linears, others): (Vec<_>, Vec<_>) = unit.tensors.into_iter().partition(linear);
    let mut parts: Vec<Vec<SourceTensor>> = linears.into_iter().map(|tensor| vec![tensor]).collect();
    match parts.first_mut() {
        Some(first) => first.extend(others),
        None => parts.push(others),
    }
    let part = |tensors: Vec<SourceTensor<'a>>| {
        let of_part = |statistic: &&Statistic<'a>| tensors.iter().any(|t| t.index as usize == statistic.tensor);
        let statistics = unit.statistics.iter().filter(of_part).copied().collect();
        UnitInput { index: unit.index, id: unit.id, tensors, statistics }
    };
    parts.into_iter().map(part).collect()
}

fn assemble(session: &Session, plan: &Plan, slots: &[SlotBytes]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut files: Vec<_> = plan.files.iter().map(|f| (f.name.clone(), vec![0u8; f.bytes as usize])).collect();
    let mut put = |file: u32, offset: u64, bytes: &[u8]| {
        let start = offset as usize;
        files[file as usize].1[start..start + bytes.len()].copy_from_slice(bytes);
    };
    for (index, span) in plan.literals.iter().enumerate() {
        put(span.file, span.offset, &session.literal(index)?);
    }
    for (slot, contents) in plan.slots.iter().zip(slots) {
        put(slot.file, slot.offset, &contents.bytes);
    }
    Ok(files)
}
