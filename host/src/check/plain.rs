//! Test material: a backend that stores plain f32, and can be told to break one promise.

use llmq_plugin_api::sdk::{Backend, Context, Error, Kind, MappedFile, Model, Output, Reader, Session, Unit};
use llmq_plugin_api::wire::{
    Container, Descriptor, DeviceKind, Finding, Fold, Folds, FormatDescriptor, Level, LiteralSpan, OutputFile, Plan,
    ReaderSummary, Request, Severity, Slot, SmoothingGroup, StoredTensor, UnitReport, ValidationReport,
};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MAGIC: &[u8; 8] = b"PLAINF32";

/// The promise that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    SharesAnId,
    TakesAnyLevel,
    TakesAnyOption,
    PlansAtRandom,
    ForgetsATensor,
    LeavesAByte,
    WritesTwice,
    WritesForeignUnits,
    DependsOnThreads,
    DependsOnOrder,
    DependsOnParts,
    KeepsMemory,
    LosesPrecision,
    FeedsBackTheSource,
    KnowsEverything,
    FindsFaults,
    ReadsBeyond,
    ForgetsTheConfig,
    MissesTheEnd,
    PanicsOnNonsense,
    NeverStops,
    PromisesFiniteWeights,
    AsksAllTheSame,
    ScalesByOne,
    ScalesUnofferedGroups,
    ScalesTwice,
    ScalesTooFew,
    ScalesByZero,
    ScalesByNoNumber,
    ScalesAtRandom,
}

impl Fault {
    /// Whether the backend says that it folds.
    fn folds(self) -> bool {
        use Fault::*;
        matches!(
            self,
            ScalesByOne
                | ScalesUnofferedGroups
                | ScalesTwice
                | ScalesTooFew
                | ScalesByZero
                | ScalesByNoNumber
                | ScalesAtRandom
        )
    }
}

pub struct Plain(pub Fault);

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Backend for Plain {
    fn describe(&self) -> Descriptor {
        let level = |id: &str| Level {
            id: id.into(),
            aliases: Vec::new(),
            bits_per_weight: 32.0,
            summary: "as it is".into(),
            requires_statistics: Vec::new(),
            uses_statistics: Vec::new(),
            later_layers_see: Default::default(),
            max_relative_error: 1e-6,
            keeps_encodings: false,
        };
        let mut levels = vec![level("F32")];
        if self.0 == Fault::SharesAnId {
            levels.push(level("f32"));
        }
        Descriptor {
            id: "plain".into(),
            version: "1".into(),
            summary: "plain".into(),
            license: String::new(),
            formats: vec![FormatDescriptor {
                id: "plain".into(),
                summary: "plain".into(),
                can_write: true,
                can_read: true,
                container: Container::File,
                extension: "plain".into(),
                levels,
                options: Vec::new(),
                families: Vec::new(),
                encodings: Vec::new(),
                weights_alone: if self.0 == Fault::AsksAllTheSame { vec![Map::new()] } else { Vec::new() },
            }],
            devices: vec![DeviceKind::Cpu],
            concurrent_units: 1,
        }
    }

    fn open_session(&self, cx: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error> {
        let refuse = |what: &str| Err(Error::new(Kind::InvalidRequest, format!("no such {what}")));
        if !request.level.eq_ignore_ascii_case("F32") && self.0 != Fault::TakesAnyLevel {
            return refuse("level");
        }
        if !request.options.is_empty() && self.0 != Fault::TakesAnyOption {
            return refuse("option");
        }
        if self.0 == Fault::AsksAllTheSame && request.statistics.is_empty() {
            return Err(Error::new(Kind::MissingStatistics, "no statistics"));
        }
        if self.0 == Fault::KeepsMemory {
            std::mem::forget(cx.reserve(1000)?);
        }
        Ok(Box::new(plan(self.0, model)))
    }

    fn recognize(&self, files: &[MappedFile]) -> u32 {
        let own = files.iter().any(|f| f.data.starts_with(MAGIC)) || self.0 == Fault::KnowsEverything;
        if own { 100 } else { 0 }
    }

    fn open(&self, _: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        let corrupt = || Error::new(Kind::CorruptInput, "not a plain file");
        let data = files.first().ok_or_else(corrupt)?.data;
        if self.0 == Fault::PanicsOnNonsense {
            assert!(data.len() > 20, "nonsense");
        }
        let rest = data.strip_prefix(MAGIC).ok_or_else(corrupt)?;
        let length =
            rest.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)).filter(|l| *l < 1 << 20).ok_or_else(corrupt)?;
        let text = rest.get(8..8 + length as usize).ok_or_else(corrupt)?;
        let header: Value = serde_json::from_slice(text).map_err(|_| corrupt())?;
        let mut tensors = Vec::new();
        for entry in header["tensors"].as_array().ok_or_else(corrupt)? {
            let (name, at) = (entry["name"].as_str(), entry["at"].as_u64());
            let shape: Option<Vec<u64>> = entry["shape"].as_array().and_then(|s| s.iter().map(Value::as_u64).collect());
            let (Some(name), Some(at), Some(shape)) = (name, at, shape) else { return Err(corrupt()) };
            let count = shape.iter().try_fold(1u64, |c, d| c.checked_mul(*d)).and_then(|c| c.checked_mul(4));
            let end = count.and_then(|c| c.checked_add(at)).ok_or_else(corrupt)?;
            if end > data.len() as u64 && self.0 != Fault::MissesTheEnd {
                return Err(corrupt());
            }
            tensors.push((name.to_owned(), at as usize, shape));
        }
        Ok(Box::new(PlainReader { fault: self.0, tensors, config: header["config"].clone() }))
    }
}

struct PlainSession {
    fault: Fault,
    plan: Plan,
    header: Vec<u8>,
    smoothing: Vec<SmoothingGroup>,
}

fn plan(fault: Fault, model: &Model) -> PlainSession {
    let description = model.description();
    let mut list = Vec::new();
    let mut slots = Vec::new();
    let start = 64 << 10; // the header gets a fixed place, its end is filled with spaces
    let mut end = start;
    for (index, tensor) in description.tensors.iter().enumerate() {
        if fault == Fault::ForgetsATensor && index == 3 {
            continue;
        }
        list.push(json!({ "name": tensor.name, "at": end, "shape": tensor.shape }));
        slots.push(Slot {
            name: tensor.name.clone(),
            unit: tensor.unit,
            sources: vec![index as u32],
            encoding: "F32".into(),
            shape: tensor.shape.clone(),
            file: 0,
            offset: end,
            bytes: tensor.elements() * 4,
            note: String::new(),
            choosable: false,
        });
        end += tensor.elements() * 4;
    }
    let mut text = json!({ "tensors": list, "config": description.config }).to_string().into_bytes();
    if fault == Fault::PlansAtRandom {
        // The count in white space, so that the header stays JSON. Tests that run beside this one count as well.
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        text.extend((0..u32::BITS).map(|bit| if calls >> bit & 1 == 0 { b'\n' } else { b'\t' }));
    }
    text.resize(start as usize - 16, b' ');
    let header = [MAGIC.as_slice(), &(text.len() as u64).to_le_bytes(), &text].concat();
    let plan = Plan {
        files: vec![OutputFile { name: "x.plain".into(), bytes: end }],
        literals: vec![LiteralSpan { file: 0, offset: 0, bytes: start }],
        slots,
        refuses_non_finite: fault == Fault::PromisesFiniteWeights,
        takes_parts: true,
        folds: fault.folds(),
        ..Plan::default()
    };
    PlainSession { fault, plan, header, smoothing: description.smoothing.clone() }
}

impl Session for PlainSession {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn literal(&self, _: usize, out: &mut [u8]) -> Result<(), Error> {
        out.copy_from_slice(&self.header);
        Ok(())
    }

    fn fold(&self, _: &Context, unit: &Unit) -> Result<Folds, Error> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        let mine = (0..).zip(&self.smoothing).filter(|(_, group)| group.unit as usize == unit.index);
        let mut folds: Vec<Fold> =
            mine.map(|(group, of)| Fold { group, scales: vec![1.0; of.channels as usize] }).collect();
        let group = folds[0].group;
        let scales = &mut folds[0].scales;
        match self.fault {
            Fault::ScalesTooFew => drop(scales.pop()),
            Fault::ScalesByZero => scales[1] = 0.0,
            Fault::ScalesByNoNumber => scales[1] = f32::INFINITY,
            Fault::ScalesAtRandom => scales[1] += calls as f32,
            Fault::ScalesTwice => {
                let again = folds[0].clone();
                folds.push(again);
            }
            Fault::ScalesUnofferedGroups => folds[0].group = group + self.smoothing.len() as u32,
            _ => {}
        }
        Ok(Folds { folds, report: UnitReport::default() })
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::NeverStops && unit.tensors.iter().any(|t| t.columns() > 1000) {
            std::thread::sleep(Duration::from_millis(1500));
        }
        for tensor in &unit.tensors {
            let of_tensor = |s: &Slot| s.sources[0] as usize == tensor.index;
            let Some(slot) = self.plan.slots.iter().position(of_tensor) else { continue };
            cx.check()?;
            let mut values = vec![0f32; tensor.rows() * tensor.columns()];
            tensor.read_rows(0, &mut values)?;
            let source = values.clone();
            match self.fault {
                Fault::LosesPrecision | Fault::FeedsBackTheSource => values.iter_mut().for_each(|w| *w *= 1.001),
                Fault::DependsOnThreads if cx.threads() > 1 => values[0] += 1e-9,
                Fault::DependsOnParts => values[0] += unit.tensors.len() as f32 * 1e-9,
                Fault::DependsOnOrder => values[0] += calls as f32 * 1e-9,
                _ => {}
            }
            let bytes: &[u8] = bytemuck::cast_slice(&values); // a loop would be most of the test's time
            let left = usize::from(self.fault == Fault::LeavesAByte);
            out.write(slot, 0, &bytes[..bytes.len() - left])?;
            if self.fault == Fault::WritesTwice {
                out.write(slot, 0, &bytes[..1])?;
            }
            out.feedback(tensor.index, 0, if self.fault == Fault::FeedsBackTheSource { &source } else { &values })?;
        }
        if self.fault == Fault::WritesForeignUnits && unit.index == 0 {
            // The refusal is swallowed on purpose: the kit must have seen it nevertheless.
            let _ = out.write(self.plan.slots.len() - 1, 0, &[0]);
        }
        Ok(UnitReport::default())
    }
}

struct PlainReader {
    fault: Fault,
    tensors: Vec<(String, usize, Vec<u64>)>,
    config: Value,
}

impl Reader for PlainReader {
    fn summary(&self) -> ReaderSummary {
        let stored = |(name, _, shape): &(String, usize, Vec<u64>)| StoredTensor {
            name: name.clone(),
            stored_name: name.clone(),
            shape: shape.clone(),
            encoding: "F32".into(),
            bytes: shape.iter().product::<u64>() * 4,
            unit: None,
        };
        ReaderSummary {
            format: "plain".into(),
            level: "F32".into(),
            name: String::new(),
            config: if self.fault == Fault::ForgetsTheConfig { Value::Null } else { self.config.clone() },
            metadata: Value::Null,
            tensors: self.tensors.iter().map(stored).collect(),
            sidecars: Vec::new(),
            warnings: Vec::new(),
            stored: None,
        }
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first: usize, out: &mut [f32]) -> Result<(), Error> {
        let (_, at, shape) = &self.tensors[tensor];
        let columns = shape.last().copied().unwrap_or(1) as usize;
        let beyond = || Error::new(Kind::Other, "beyond");
        let all = shape.iter().product::<u64>() as usize;
        if first * columns + out.len() > all && self.fault != Fault::ReadsBeyond {
            return Err(beyond());
        }
        let start = at + first * columns * 4;
        if let Some(bytes) = files[0].data.get(start..start + out.len() * 4) {
            bytemuck::cast_slice_mut(out).copy_from_slice(bytes);
        }
        Ok(())
    }

    fn validate(&self, _: &Context, _: &[MappedFile]) -> Result<ValidationReport, Error> {
        let finding = Finding { severity: Severity::Error, subject: "all".into(), message: "I do not like it".into() };
        Ok(ValidationReport { findings: if self.fault == Fault::FindsFaults { vec![finding] } else { Vec::new() } })
    }
}
