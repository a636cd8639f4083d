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
        let tensors: Vec<_> = unit.tensors.iter().map(tensor_view).collect();
        let statistics: Vec<_> = unit.statistics.iter().map(stat_view).collect();
        let view = abi::UnitView {
            index: unit.index,
            id: unit.id.into(),
            tensors: tensors.as_slice().into(),
            statistics: statistics.as_slice().into(),
            ext: "".into(),
        };
        let report = self.raw.quantize(&host, &model, view, &sink).into_result()?;
        Ok(wire::decode("unit report", report.as_str())?)
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
