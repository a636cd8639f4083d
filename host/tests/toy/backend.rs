//! The toy backend: int8 per row, with one place for every way in which a plugin can go wrong.

use super::file::{ALIGN, Entry, MAGIC, ToyReader, encode_row, row_bytes};
use llmq_plugin_api::sdk::{Backend, Context, Error, Kind, MappedFile, Model, Output, Reader, Session, Unit};
use llmq_plugin_api::wire::{
    Descriptor, Folds, LiteralSpan, ModelDescription, OutputFile, Plan, Request, Slot, StatisticsNeed, UnitNeed,
    UnitReport,
};
use serde_json::json;
use std::sync::Arc;

/// What goes wrong in unit `layer.1`, or while planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    Panic,
    PanicInLoop,
    Error,
    BeyondSlot,
    BeyondSlotSilently,
    NoSuchSlot,
    OtherUnit,
    Twice,
    Gap,
    WrongWeights,
    NotANumber,
    ForgetsTensor,
    WrongHeader,
    BadFeedback,
    OverlappingPlan,
    NestedName,
    NoFile,
    UndeclaredStatistics,
    HugeScratch,
    ReservesTooMuch,
}

/// Called with a unit's id when it begins.
pub type Hook = Arc<dyn Fn(&str) + Send + Sync>;
/// Shown every unit as it is handed in.
pub type Look = Arc<dyn Fn(&Unit) + Send + Sync>;
/// Says by how much a unit's channels are scaled.
pub type Scale = Arc<dyn Fn(&ModelDescription, &Unit) -> Folds + Send + Sync>;

#[derive(Clone)]
pub struct Toy {
    pub version: String,
    pub fault: Fault,
    pub hook: Option<Hook>,
    pub look: Option<Look>,
    pub scale: Option<Scale>,
    pub concurrent_units: u32,
    pub takes_parts: bool,
}

impl Default for Toy {
    fn default() -> Toy {
        Toy {
            version: "1.2.3".into(),
            fault: Fault::None,
            hook: None,
            look: None,
            scale: None,
            concurrent_units: 1,
            takes_parts: false,
        }
    }
}

impl Toy {
    pub fn faulty(fault: Fault) -> Toy {
        Toy { fault, ..Toy::default() }
    }
}

impl Backend for Toy {
    fn describe(&self) -> Descriptor {
        let level = |id: &str, error: f64, needs: &[&str]| {
            json!({"id": id, "aliases": [format!("{id}-alias")], "bits_per_weight": 8.0, "summary": "",
                "requires_statistics": needs, "max_relative_error": error})
        };
        let mut all = level("ALL", 1.0, &[]);
        all["uses_statistics"] = json!(["sum", "sum_abs", "sum_squares", "min", "max", "samples"]);
        let format = |id: &str, container: &str, reads: bool| {
            json!({"id": id, "summary": "", "can_write": true, "can_read": reads, "container": container,
                "extension": "toy", "levels": [level("INT8", 0.02, &[]), level("PLAIN", 0.0, &[]), level("GRAM", 1.0, &["gram"]), all],
                "options": [{"name": "rounding", "help": "", "type": "choice", "values": ["nearest", "up"], "default": "nearest"}]})
        };
        let reader_only = json!({"id": "old", "summary": "", "can_write": false, "can_read": true,
            "container": "file", "levels": []});
        serde_json::from_value(json!({"id": "toy", "version": self.version, "summary": "", "devices": ["cpu"],
            "concurrent_units": self.concurrent_units,
            "formats": [format("toy", "file", true), format("toydir", "folder", true), format("mute", "file", false),
                reader_only]}))
        .unwrap()
    }

    fn open_session(&self, _: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error> {
        let description = model.description();
        let mut entries = Vec::new();
        let mut offset = 0;
        for tensor in &description.tensors {
            let encoding = if request.level == "PLAIN" || tensor.shape.len() < 2 { "F32" } else { "I8" };
            let bytes = tensor.rows() * row_bytes(encoding, tensor.columns());
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            entries.push(Entry { name, shape, encoding: encoding.into(), offset, bytes });
            offset += bytes.next_multiple_of(ALIGN);
        }
        // The index is padded, so that its length does not depend on the offsets in it.
        let index = |base: u64| {
            let moved: Vec<_> = entries
                .iter()
                .filter(|e| self.fault != Fault::ForgetsTensor || !e.name.contains("lm_head"))
                .map(|e| Entry { offset: e.offset + base, ..e.clone() })
                .collect();
            let mut text = serde_json::to_vec(&moved).unwrap();
            assert!(text.len() <= 8192);
            text.resize(8192, b' ');
            text
        };
        let base = (12 + index(0).len() as u64).next_multiple_of(ALIGN);
        let mut header = MAGIC.to_vec();
        header.extend((index(base).len() as u64).to_le_bytes());
        header.extend(index(base));
        if self.fault == Fault::WrongHeader {
            header[0] = b'X';
        }
        let folder = request.format == "toydir";
        let main = if folder { "sub/weights.toy".to_owned() } else { format!("{}.toy", request.stem) };
        let config = serde_json::to_vec(&description.config).unwrap();
        let mut plan = Plan {
            files: vec![OutputFile { name: main, bytes: base + offset }],
            literals: vec![LiteralSpan { file: 0, offset: 0, bytes: header.len() as u64 }],
            warnings: vec!["a warning of the plan".into()],
            folds: self.scale.is_some(),
            takes_parts: self.takes_parts,
            ..Plan::default()
        };
        let mut literals = vec![header];
        if folder {
            plan.files.push(OutputFile { name: "config.json".into(), bytes: config.len() as u64 });
            plan.literals.push(LiteralSpan { file: 1, offset: 0, bytes: config.len() as u64 });
            literals.push(config);
        }
        plan.slots = entries
            .iter()
            .zip(&description.tensors)
            .enumerate()
            .map(|(index, (entry, tensor))| Slot {
                name: format!("toy/{}", entry.name),
                unit: tensor.unit,
                sources: vec![index as u32],
                encoding: entry.encoding.clone(),
                shape: entry.shape.clone(),
                file: 0,
                offset: entry.offset + base,
                bytes: entry.bytes,
                note: String::new(),
                choosable: false,
            })
            .collect();
        spoil(self.fault, &mut plan);
        let (model, up) = (description.clone(), request.options["rounding"] == "up");
        Ok(Box::new(ToySession { toy: self.clone(), model, plan, literals, up }))
    }

    fn open(&self, _: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(ToyReader::open(files)?))
    }
}

fn spoil(fault: Fault, plan: &mut Plan) {
    let need = |scratch, statistics| UnitNeed {
        unit: 0,
        scratch_bytes_per_thread: scratch,
        scratch_bytes: 0,
        device_bytes: 0,
        statistics,
        stages: vec![],
    };
    match fault {
        Fault::OverlappingPlan => plan.slots[1].offset = plan.slots[0].offset,
        Fault::NestedName => plan.files[0].name = "a/b.toy".into(),
        Fault::NoFile => *plan = Plan::default(),
        Fault::HugeScratch => plan.units.push(need(1 << 60, vec![])),
        Fault::UndeclaredStatistics => {
            plan.units.push(need(0, vec![StatisticsNeed { tensor: 0, kinds: vec!["gram".into()] }]));
        }
        _ => {}
    }
}

struct ToySession {
    toy: Toy,
    model: ModelDescription,
    plan: Plan,
    literals: Vec<Vec<u8>>,
    up: bool,
}

impl Session for ToySession {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        out.copy_from_slice(&self.literals[index]);
        Ok(())
    }

    fn fold(&self, _: &Context, unit: &Unit) -> Result<Folds, Error> {
        Ok(self.scales(unit))
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        if let Some(hook) = &self.toy.hook {
            hook(unit.id);
        }
        if let Some(look) = &self.toy.look {
            look(unit);
        }
        let fault = if unit.id == "layer.1" { self.toy.fault } else { Fault::None };
        let handed = |slot: &usize| unit.tensor(self.plan.slots[*slot].sources[0] as usize).is_ok();
        let slots: Vec<usize> = (0..self.plan.slots.len())
            .filter(|slot| self.plan.slots[*slot].unit as usize == unit.index)
            .filter(|slot| !self.takes_parts() || handed(slot))
            .collect();
        let first = slots[0];
        match fault {
            Fault::Panic => panic!("toy panic"),
            Fault::Error => return Err(Error::new(Kind::CorruptInput, "the toy refuses").subject("some tensor")),
            Fault::BeyondSlot => out.write(first, self.plan.slots[first].bytes - 1, &[1, 2])?,
            Fault::BeyondSlotSilently => drop(out.write(first, u64::MAX, &[1, 2])),
            Fault::NoSuchSlot => out.write(10_000, 0, &[1])?,
            Fault::OtherUnit => out.write(0, 0, &[1])?,
            Fault::Twice => out.write(first, 0, &[1])?,
            Fault::BadFeedback => out.feedback(0, 11, &[0.0; 16])?,
            Fault::ReservesTooMuch => drop(cx.reserve(1 << 60)?),
            _ => {}
        }
        for slot in slots {
            self.slot(cx, unit, out, slot, fault)?;
        }
        let mut report = UnitReport::default();
        report.figures.insert("tensors".into(), unit.tensors.len().into());
        Ok(report)
    }
}

impl ToySession {
    fn takes_parts(&self) -> bool {
        self.toy.takes_parts
    }

    fn scales(&self, unit: &Unit) -> Folds {
        self.toy.scale.as_ref().map(|scale| scale(&self.model, unit)).unwrap_or_default()
    }

    fn slot(&self, cx: &Context, unit: &Unit, out: &Output, slot: usize, fault: Fault) -> Result<(), Error> {
        let planned = &self.plan.slots[slot];
        let tensor = unit.tensor(planned.sources[0] as usize)?;
        let step = row_bytes(&planned.encoding, tensor.columns() as u64);
        let skipped = (fault == Fault::Gap).then(|| tensor.rows() / 2);
        cx.parallel_for(tensor.rows(), |row| {
            if fault == Fault::PanicInLoop {
                panic!("toy panic in a loop");
            }
            if skipped == Some(row) {
                return Ok(());
            }
            let mut weights = vec![0f32; tensor.columns()];
            tensor.read_rows(row, &mut weights)?;
            match fault {
                Fault::WrongWeights => weights.reverse(),
                Fault::NotANumber => weights.fill(f32::NAN),
                _ => {}
            }
            let mut bytes = Vec::new();
            encode_row(&planned.encoding, self.up, &weights, &mut bytes);
            out.write(slot, row as u64 * step, &bytes)?;
            cx.progress(row as u64 + 1, tensor.rows() as u64);
            Ok(())
        })
    }
}
