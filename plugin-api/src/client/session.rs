//! A planned job as the host drives it.

use super::adapter::{HostAdapter, ModelAdapter, SinkAdapter, tensor_view};
use super::{Destination, Services, Source, SourceTensor};
use crate::sdk::{Error, Kind, Statistic};
use crate::{abi, wire};
use abi_stable::{sabi_trait::TD_Opaque, sabi_types::RRef};

/// A session with its plan read. The caller checks the plan against the model ([`wire::Plan::check`]).
pub struct Session {
    raw: abi::SessionBox,
    plan: wire::Plan,
}

/// Everything one unit needs.
pub struct UnitInput<'a> {
    /// Index in the model description.
    pub index: u32,
    /// Its id.
    pub id: &'a str,
    /// All its tensors.
    pub tensors: Vec<SourceTensor<'a>>,
    /// What calibration measured, if anything.
    pub statistics: Vec<Statistic<'a>>,
}

impl Session {
    pub(super) fn from_abi(raw: abi::SessionBox) -> Result<Session, Error> {
        let text = raw.plan();
        let plan = wire::decode("plan", text.as_str())?;
        Ok(Session { raw, plan })
    }

    /// The plan.
    pub fn plan(&self) -> &wire::Plan {
        &self.plan
    }

    /// Bytes of one literal.
    pub fn literal(&self, index: usize) -> Result<Vec<u8>, Error> {
        let Some(span) = self.plan.literals.get(index) else {
            return Err(Error::new(Kind::Other, format!("the plan has no literal {index}")));
        };
        let mut bytes = vec![0; span.bytes as usize];
        self.raw.literal(index as u32, bytes.as_mut_slice().into()).into_result()?;
        Ok(bytes)
    }

    /// Quantizes one unit into `destination`.
    pub fn quantize(
        &self,
        services: &dyn Services,
        source: &dyn Source,
        unit: &UnitInput,
        destination: &dyn Destination,
    ) -> Result<wire::UnitReport, Error> {
        let (host, model, sink) = (HostAdapter(services), ModelAdapter(source), SinkAdapter(destination));
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        let model = abi::Model_TO::from_ptr(RRef::new(&model), TD_Opaque);
        let sink = abi::Sink_TO::from_ptr(RRef::new(&sink), TD_Opaque);
        let views = Views::of(unit);
        let report = self.raw.quantize(&host, &model, views.unit(unit), &sink).into_result()?;
        Ok(wire::decode("unit report", report.as_str())?)
    }

    /// By how much channels of one unit are to be scaled. The caller checks what comes back against the model.
    pub fn fold(&self, services: &dyn Services, source: &dyn Source, unit: &UnitInput) -> Result<wire::Folds, Error> {
        let (host, model) = (HostAdapter(services), ModelAdapter(source));
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        let model = abi::Model_TO::from_ptr(RRef::new(&model), TD_Opaque);
        let folds = self.raw.fold(&host, &model, Views::of(unit).unit(unit)).into_result()?;
        Ok(wire::decode("folds", folds.as_str())?)
    }
}

/// A unit's tensors and statistics as they cross the boundary.
struct Views<'a> {
    tensors: Vec<abi::TensorView<'a>>,
    statistics: Vec<abi::StatView<'a>>,
}

impl<'a> Views<'a> {
    fn of(unit: &'a UnitInput) -> Views<'a> {
        Views {
            tensors: unit.tensors.iter().map(tensor_view).collect(),
            statistics: unit.statistics.iter().map(stat_view).collect(),
        }
    }

    fn unit(&'a self, unit: &'a UnitInput) -> abi::UnitView<'a> {
        abi::UnitView {
            index: unit.index,
            id: unit.id.into(),
            tensors: self.tensors.as_slice().into(),
            statistics: self.statistics.as_slice().into(),
            ext: "".into(),
        }
    }
}

fn stat_view<'a>(statistic: &Statistic<'a>) -> abi::StatView<'a> {
    abi::StatView {
        tensor: statistic.tensor as u32,
        expert: statistic.expert.unwrap_or(u32::MAX),
        kind: statistic.kind.to_abi(),
        count: statistic.count,
        shape: statistic.shape.into(),
        data: statistic.values.into(),
        ext: "".into(),
    }
}
